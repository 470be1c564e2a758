package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// candidate is one program with one way of running it, and what was measured.
type candidate struct {
	name     string
	command  []string
	env      []string
	dir      string
	database *database // nil for those that store nothing
	webhooks string    // address of the listener
	admin    string    // address of the operator's listener, "" without one
	look     bool      // looks at the customer before it deletes

	measured samples
}

// samples are what was measured, by metric, one for each round.
type samples map[metric][]float64

func (s samples) add(m metric, value float64) { s[m] = append(s[m], value) }

// median returns the middle value and whether there is one.
func (s samples) median(m metric) (float64, bool) {
	values := slices.Sorted(slices.Values(s[m]))
	if len(values) == 0 {
		return 0, false
	}
	return values[len(values)/2], true
}

func (c *candidate) readyURL() string {
	if c.admin != "" {
		return "http://" + c.admin + "/readyz"
	}
	return "http://" + c.webhooks + "/"
}

// lookSetting makes the program look at a customer before it deletes, one more
// call to Polar for each event.
const lookSetting = "LOOK_BEFORE_DELETE"

func (o options) candidates(ctx context.Context, databases []database) ([]*candidate, error) {
	help, err := exec.CommandContext(ctx, o.binary, "serve", "--help").CombinedOutput() //nolint:gosec // the program to measure
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", o.binary, err)
	}
	var all []*candidate
	var errs []error
	add := func(c *candidate, err error) { all, errs = append(all, c), append(errs, err) }
	for i := range databases {
		add(o.service(&databases[i], false))
	}
	if strings.Contains(string(help), lookSetting) {
		for i := range databases {
			add(o.service(&databases[i], true))
		}
	}
	if o.peers != "" {
		add(o.peer("hono"))
		add(o.peer("express"))
	}
	return all, errors.Join(errs...)
}

func (o options) service(d *database, look bool) (*candidate, error) {
	webhooks, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	name := d.name
	if look {
		name += ", looks first"
	}
	return &candidate{
		name: name, command: []string{o.binary, "serve"}, dir: o.dir, database: d,
		webhooks: webhooks, admin: admin, look: look, measured: samples{},
		env: []string{
			"LISTEN_ADDR=" + webhooks, "ADMIN_ADDR=" + admin, "POLAR_ACCESS_TOKEN=" + polarToken,
			"CLERK_WEBHOOK_SIGNING_SECRET=" + clerkKey, "POLAR_ANONYMIZE=false",
			"POLAR_RATE_LIMIT=0", "POLAR_CONCURRENCY=32", fmt.Sprintf("%s=%t", lookSetting, look),
		},
	}, err
}

// peer runs on the Node that the peers' lock file names.
func (o options) peer(name string) (*candidate, error) {
	dir, err := filepath.Abs(o.peers)
	if err != nil {
		return nil, err
	}
	node, err := filepath.Glob(filepath.Join(dir, "node_modules/node-linux-*/bin/node"))
	if err != nil || len(node) == 0 {
		return nil, fmt.Errorf("no Node in %s: run npm ci there, as make bench does", dir)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	return &candidate{
		name: name, command: []string{node[0], name + ".mjs"}, dir: dir, webhooks: address, measured: samples{},
		env: []string{
			"PORT=" + port, "NODE_ENV=production",
			"POLAR_ACCESS_TOKEN=" + polarToken, "CLERK_WEBHOOK_SIGNING_SECRET=" + clerkKey,
		},
	}, err
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
