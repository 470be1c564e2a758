package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// perSecond is more events than any candidate takes in a second.
	perSecond = 30_000
	// warmUp is how many events come before those that are measured.
	warmUp = 1000
	// starts, singles and probes are how often the quick things are measured.
	starts  = 9
	singles = 41
	probes  = 41
	// checkTimeout bounds the wait for the check of a large file.
	checkTimeout = 2 * time.Minute
	// settle is how long a process is left alone before it counts as idle, and
	// idle how long it is then watched.
	settle = 2 * time.Second
	idle   = 8 * time.Second
)

// running is a candidate at work.
type running struct {
	*candidate
	*process

	polar *localPolar
}

// with runs the candidate beside a local Polar of its own while act measures.
func (c *candidate) with(ctx context.Context, o options, act func(r running) error) (err error) {
	polar, err := startPolar() //nolint:contextcheck // it is closed below
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, polar.Close()) }()
	p, err := c.start(ctx, o, polar.url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	return act(running{c, p, polar})
}

// onFresh gives the candidate an empty database and keeps it while act runs.
func (c *candidate) onFresh(ctx context.Context, o options, act func() error) (err error) {
	if c.database == nil {
		return act()
	}
	url, drop, err := c.database.url(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	before := c.env
	c.env = append(slices.Clip(before), "DATABASE_URL="+url)
	defer func() { c.env = before }()
	return act()
}

// measureLoad measures one round: steady events first, then as many as go.
func (c *candidate) measureLoad(ctx context.Context, o options) error {
	return c.onFresh(ctx, o, func() error {
		return c.with(ctx, o, func(r running) error {
			if err := r.warmUp(ctx); err != nil {
				return err
			}
			if err := r.steadyLoad(ctx, o); err != nil {
				return err
			}
			if err := r.fullLoad(ctx, o); err != nil {
				return err
			}
			memory, err := r.peakRSS()
			c.measured.add(peakRSS, memory)
			return err
		})
	})
}

func (r running) warmUp(ctx context.Context) error {
	requests, err := signed(r.polar, r.webhooks, "warm", warmUp)
	if err != nil {
		return err
	}
	_, err = together(ctx, r.webhooks, connections, func(s *sender, number int) (none latencies, err error) {
		for i := number; i < len(requests); i += connections {
			if err := s.send(requests[i]); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	_, err = r.polar.waitForDeleted(ctx, warmUp)
	return err
}

func (r running) steadyLoad(ctx context.Context, o options) error {
	requests, err := signed(r.polar, r.webhooks, "steady", int(o.steady.Seconds()*steadyRate))
	if err != nil {
		return err
	}
	before := r.polar.deleted.Load()
	answered, err := steadily(ctx, r.webhooks, requests)
	if err != nil {
		return err
	}
	r.measured.add(steadyP50, answered.percentile(50))
	r.measured.add(steadyP99, answered.percentile(99))
	_, err = r.polar.waitForDeleted(ctx, before+int64(len(answered)))
	return err
}

// fullLoad measures at saturation and on until everything is deleted.
func (r running) fullLoad(ctx context.Context, o options) error {
	requests, err := signed(r.polar, r.webhooks, "full", int(o.load.Seconds()*perSecond))
	if err != nil {
		return err
	}
	deleted := r.polar.deleted.Load()
	used, err := r.cpu()
	if err != nil {
		return err
	}
	begin := time.Now()
	answered, during, err := saturate(ctx, r.webhooks, requests, o.load)
	if err != nil {
		return err
	}
	end, err := r.polar.waitForDeleted(ctx, deleted+int64(len(answered)))
	if err != nil {
		return err
	}
	// What is written down after the last DELETE belongs to it.
	if err := pause(ctx, settle/4); err != nil {
		return err
	}
	usedAfter, err := r.cpu()
	n := float64(len(answered))
	r.measured.add(rate, n/during.Seconds())
	r.measured.add(fullP50, answered.percentile(50))
	r.measured.add(fullP99, answered.percentile(99))
	r.measured.add(endToEnd, n/end.Sub(begin).Seconds())
	r.measured.add(cpuPerEvent, (usedAfter-used).Seconds()/n)
	return err
}

// measureIdle measures what a quiet system costs and how soon it reacts.
func (c *candidate) measureIdle(ctx context.Context, o options) error {
	return c.onFresh(ctx, o, func() error {
		for range starts {
			err := c.with(ctx, o, func(r running) error {
				c.measured.add(startToReady, r.ready.Seconds())
				return nil
			})
			if err != nil {
				return err
			}
		}
		// The first start made the database.
		c.measured[startToReady] = c.measured[startToReady][1:]
		return c.with(ctx, o, func(r running) error {
			if err := pause(ctx, settle); err != nil {
				return err
			}
			before, err := r.cpu()
			if err != nil {
				return err
			}
			if err := pause(ctx, idle); err != nil {
				return err
			}
			after, err := r.cpu()
			if err != nil {
				return err
			}
			c.measured.add(idleCPU, (after-before).Seconds()/idle.Seconds())
			return r.reaction(ctx)
		})
	})
}

// reaction measures the time from the 202 to the DELETE, one event at a time.
func (r running) reaction(ctx context.Context) error {
	requests, err := signed(r.polar, r.webhooks, "single", singles)
	if err != nil {
		return err
	}
	r.polar.mu.Lock()
	r.polar.arrivals = map[string]time.Time{}
	r.polar.mu.Unlock()
	s, err := dial(ctx, r.webhooks)
	if err != nil {
		return err
	}
	defer s.connection.Close() //nolint:errcheck // done with it
	for i, request := range requests {
		if err := pause(ctx, 100*time.Millisecond+rand.N(200*time.Millisecond)); err != nil { //nolint:gosec // hides nothing
			return err
		}
		if err := s.send(request); err != nil {
			return err
		}
		accepted := time.Now()
		at, err := r.polar.arrival(ctx, fmt.Sprintf("user_single_%d", i))
		if err != nil {
			return err
		}
		r.measured.add(idleLatency, at.Sub(accepted).Seconds())
	}
	return nil
}

// measureBacklog compares an empty database with one in which many deletions
// wait, in turns. Both work as fast as they can.
func (c *candidate) measureBacklog(ctx context.Context, o options) error {
	return c.onFresh(ctx, o, func() error {
		if err := c.with(ctx, o, func(running) error { return nil }); err != nil { // makes the tables
			return err
		}
		if err := c.database.fill(ctx, c.env, o.backlog); err != nil {
			return fmt.Errorf("fill the database: %w", err)
		}
		full := c.env
		for range 2 {
			c.env = full[: len(full)-1 : len(full)-1]
			err := c.onFresh(ctx, o, func() error { return c.underBacklog(ctx, o, emptyRate) })
			c.env = full
			if err != nil {
				return err
			}
			if err := c.underBacklog(ctx, o, backlogRate); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *candidate) underBacklog(ctx context.Context, o options, m metric) error {
	return c.with(ctx, o, func(r running) error {
		requests, err := signed(r.polar, r.webhooks, fmt.Sprintf("backlog_%d_%d", m, len(c.measured[m])), int(o.load.Seconds()*perSecond))
		if err != nil {
			return err
		}
		if m == backlogRate {
			if err := r.probe(ctx, "/readyz", backlogReady); err != nil {
				return err
			}
			if err := r.probe(ctx, "/metrics", backlogMetrics); err != nil {
				return err
			}
		}
		if err := r.settled(ctx); err != nil {
			return err
		}
		answered, during, err := saturate(ctx, r.webhooks, requests, o.load)
		if err != nil {
			return err
		}
		c.measured.add(m, float64(len(answered))/during.Seconds())
		if m != backlogRate {
			return nil
		}
		memory, err := r.peakRSS()
		c.measured.add(backlogRSS, memory)
		return err
	})
}

// settled waits until the work of the start is over.
func (r running) settled(ctx context.Context) error {
	if r.database.name != sqliteName {
		return nil
	}
	return r.waitForCheck(ctx, "http://"+r.admin+"/metrics")
}

// probe measures the slowest of some requests to the operator's listener, while
// the workers have all they can do.
func (r running) probe(ctx context.Context, path string, m metric) error {
	var all latencies
	for range probes {
		took, err := r.get(ctx, "http://"+r.admin+path)
		if err != nil {
			return err
		}
		all = append(all, took)
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	r.measured.add(m, all.percentile(100))
	return nil
}
