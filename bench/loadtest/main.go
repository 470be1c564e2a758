// Command loadtest measures the real binary under load, beside the webhook
// handlers that most people write (bench/peer-node), and prints one table. It is
// the sender of the webhooks and the local Polar; what is measured runs in
// processes of its own. docs/performance.md explains each line.
//
// It must not know how the program works inside: it talks HTTP, reads what the
// operating system says of a process, and fills databases by SQL.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// options say what is measured and for how long.
type options struct {
	binary, baseline, peers, peerGo string

	dir          string // for databases and logs
	rounds       int
	load, steady time.Duration
	backlog      int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "loadtest:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to release
	}
}

func run(ctx context.Context) (err error) {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/polar-bridge", "the program to measure")
	flag.StringVar(&o.baseline, "baseline", "", "another build of the program: the two take turns, nothing else is measured, and the ratios are printed")
	flag.StringVar(&o.peers, "peers", "bench/peer-node", "folder of the handlers to compare with, npm packages installed; empty for none")
	flag.StringVar(&o.peerGo, "peer-go", "bin/peer-go", "the least that a handler in Go does; empty leaves it out")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each is measured, taking turns")
	flag.DurationVar(&o.load, "load", 4*time.Second, "how long each is saturated")
	flag.DurationVar(&o.steady, "steady", 5*time.Second, "how long each gets 100 events a second")
	flag.IntVar(&o.backlog, "backlog", 1_000_000, "deletions that wait while the backlog is measured; 0 leaves that out")
	withPostgres := flag.Bool("postgres", true, "measure on Postgres too, on a server of its own")
	flag.Parse()

	for _, path := range []*string{&o.binary, &o.baseline, &o.peerGo} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if o.dir, err = os.MkdirTemp("", "polar-bridge-loadtest-"); err != nil {
		return err
	}
	defer os.RemoveAll(o.dir) //nolint:errcheck // a temporary folder

	databases := []database{{name: sqliteName, url: sqliteURL}}
	if *withPostgres {
		// A server that forgets nothing: the tests' own does not sync.
		server, stop, err := databasetest.StartPostgres()
		if err != nil {
			return fmt.Errorf("start Postgres (make bench needs its server binaries): %w", err)
		}
		defer stop() //nolint:errcheck // a throw-away server
		databases = append(databases, database{name: "Postgres", url: postgresURL(server)})
	}
	return measureAll(ctx, o, databases)
}

// measureAll measures everything and prints what it found.
func measureAll(ctx context.Context, o options, databases []database) error {
	candidates, err := o.candidates(databases)
	if err != nil {
		return err
	}
	for round := range o.rounds {
		for _, c := range turn(candidates, round) {
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, o.rounds, c.name)
			if err := c.measureLoad(ctx, o); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	for _, c := range candidates {
		if c.admin == "" || c.guarded {
			continue
		}
		fmt.Fprintf(os.Stderr, "start and idle: %s\n", c.name)
		if err := c.measureIdle(ctx, o); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if o.backlog == 0 {
			continue
		}
		fmt.Fprintf(os.Stderr, "%d waiting: %s\n", o.backlog, c.name)
		if err := c.measureBacklog(ctx, o); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	printMachine(os.Stdout, o)
	printTable(os.Stdout, candidates)
	if o.baseline != "" {
		printComparison(os.Stdout, candidates)
		return nil
	}
	printGoals(os.Stdout, candidates)
	return nil
}

// turn is the order of one round. Every other round is the other way round, so
// that no candidate always comes after the same one.
func turn(candidates []*candidate, round int) []*candidate {
	if round%2 == 0 {
		return candidates
	}
	reversed := slices.Clone(candidates)
	slices.Reverse(reversed)
	return reversed
}
