package main

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
)

// candidate is one program with one way of running it, and what was measured.
type candidate struct {
	name     string
	command  []string
	env      []string
	dir      string
	database *database  // nil for those that store nothing
	webhooks string     // address of the listener
	admin    string     // address of the operator's listener, "" without one
	guarded  bool       // looks at the customer before it deletes, and again afterwards
	baseline *candidate // the other build of the same, nil without one

	measured samples
}

// samples are what was measured, by metric, one for each round.
type samples map[metric][]float64

func (s samples) add(m metric, value float64) { s[m] = append(s[m], value) }

// median returns the middle value, or the mean of the middle two, and whether
// there is one.
func (s samples) median(m metric) (float64, bool) {
	values := slices.Sorted(slices.Values(s[m]))
	if len(values) == 0 {
		return 0, false
	}
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle], true
	}
	return (values[middle-1] + values[middle]) / 2, true
}

func (c *candidate) readyURL() string {
	if c.admin != "" {
		return "http://" + c.admin + "/readyz"
	}
	return "http://" + c.webhooks + "/"
}

func (o options) candidates(databases []database) ([]*candidate, error) {
	var all []*candidate
	var errs []error
	add := func(c *candidate, err error) { all, errs = append(all, c), append(errs, err) }
	for _, guarded := range []bool{false, true} {
		for i := range databases {
			current, err := o.service(o.binary, &databases[i], guarded)
			add(current, err)
			if o.baseline != "" {
				current.baseline, err = o.service(o.baseline, &databases[i], guarded)
				current.baseline.name += ", baseline"
				add(current.baseline, err)
			}
		}
	}
	if o.baseline != "" { // only the two builds are of interest
		return all, errors.Join(errs...)
	}
	if o.peers != "" {
		add(o.nodePeer("hono"))
		add(o.nodePeer("express"))
	}
	if o.peerGo != "" {
		add(peer("Go, bare", []string{o.peerGo}, o.dir))
	}
	return all, errors.Join(errs...)
}

// service is the program with its limits lifted. Guarded it does what it does by
// default: it looks at a customer before it deletes, one more call to Polar for
// each event, and stores that it will look again an hour later.
func (o options) service(binary string, d *database, guarded bool) (*candidate, error) {
	webhooks, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	name, guards := d.name, []string{"LOOK_BEFORE_DELETE=false", "HOLD_TEAM=false", "HOLD_RECREATED=false", "VERIFY_AFTER=0s"}
	if guarded {
		name, guards = d.name+", guards", nil
	}
	return &candidate{
		name: name, command: []string{binary, "serve"}, dir: o.dir, database: d,
		webhooks: webhooks, admin: admin, guarded: guarded, measured: make(samples),
		env: append(guards,
			"LISTEN_ADDR="+webhooks, "ADMIN_ADDR="+admin, "POLAR_ACCESS_TOKEN="+polarToken,
			"CLERK_WEBHOOK_SIGNING_SECRET="+clerkKey, "POLAR_ANONYMIZE=false",
			"POLAR_RATE_LIMIT=0", "POLAR_CONCURRENCY=32", "MAX_DELETIONS_PER_HOUR=0"),
	}, err
}

// nodePeer runs on the Node that the peers' lock file names.
func (o options) nodePeer(name string) (*candidate, error) {
	dir, err := filepath.Abs(o.peers)
	if err != nil {
		return nil, err
	}
	node, err := filepath.Glob(filepath.Join(dir, "node_modules/node-linux-*/bin/node"))
	if err != nil || len(node) == 0 {
		return nil, fmt.Errorf("no Node in %s: run npm ci there, as make bench does", dir)
	}
	return peer(name, []string{node[0], name + ".mjs"}, dir)
}

// peer is a handler that stores nothing.
func peer(name string, command []string, dir string) (*candidate, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	return &candidate{
		name: name, command: command, dir: dir, webhooks: address, measured: make(samples),
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
