package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

type statsCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run counts deletions.
func (c *statsCommand) Run(ctx context.Context, env *Env, loader *config.Loader, group *deletionsCommand) error {
	return group.use(ctx, env, loader, func(s *session) error {
		stats, err := s.Stats(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(env.Stdout, stats)
		}
		return printStats(env.Stdout, stats)
	})
}

func printStats(w io.Writer, stats ops.Stats) error {
	checked := &checkedWriter{to: w}
	table := tabwriter.NewWriter(checked, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "PROVIDER\tWAITING\tHELD\tREAPPEARED")
	for _, outcome := range deletion.Outcomes() {
		fmt.Fprintf(table, "\t%s", outcome)
	}
	fmt.Fprintln(table)
	for _, p := range stats.Providers {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d", visible(p.Provider), p.Waiting, p.Held, p.Reappeared)
		for _, outcome := range deletion.Outcomes() {
			fmt.Fprintf(table, "\t%d", p.Outcomes[outcome])
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, reason := range slices.Sorted(maps.Keys(stats.Held)) {
		fmt.Fprintf(table, "\nheld as %s\t%d", cmp.Or(visible(string(reason)), "(unknown)"), stats.Held[reason])
	}
	fmt.Fprintf(table, "\noldest waiting\t%s\nnext retry\t%s\npaused\t%s\n", at(stats.OldestWaiting), at(stats.NextRetry), pausedText(stats.Pause))
	if err := table.Flush(); err != nil {
		return err
	}
	return checked.err
}

func pausedText(p queue.Pause) string {
	switch {
	case !p.Paused:
		return "no"
	case p.By == "":
		return "since " + at(p.Since)
	}
	return "since " + at(p.Since) + " by " + visible(p.By)
}
