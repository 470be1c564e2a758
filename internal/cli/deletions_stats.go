package cli

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

type statsCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// statsReport is what is printed.
type statsReport struct {
	ops.Stats

	Pauses []pause `json:"pauses"` // why nothing is sent to Polar; none while deletions are tried
}

// newStatsReport also says 0 of what there is none of.
func newStatsReport(stats ops.Stats, pauses []pause) statsReport {
	for _, reason := range deletion.HoldReasons() {
		stats.Held[reason] += 0
	}
	for _, p := range stats.Providers {
		for _, outcome := range deletion.Outcomes() {
			p.Outcomes[outcome] += 0
		}
	}
	return statsReport{stats, pauses}
}

// Run counts deletions.
func (c *statsCommand) Run(ctx context.Context, env *Env, s *session) error {
	stats, err := s.Stats(ctx)
	if err != nil {
		return err
	}
	pauses, err := s.pauses(ctx, stats.Pause)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(env.Stdout, newStatsReport(stats, pauses))
	}
	heading := []any{"PROVIDER", "WAITING", "HELD", "REAPPEARED"}
	for _, outcome := range deletion.Outcomes() {
		heading = append(heading, outcome)
	}
	table := newTable(env.Stdout)
	table.line(heading...)
	for _, p := range stats.Providers {
		cells := []any{visible(p.Provider), p.Waiting, p.Held, p.Reappeared}
		for _, outcome := range deletion.Outcomes() {
			cells = append(cells, p.Outcomes[outcome])
		}
		table.line(cells...)
	}
	table.line()
	for _, reason := range slices.Sorted(maps.Keys(stats.Held)) {
		table.line("held as "+cmp.Or(visible(string(reason)), "(unknown)"), stats.Held[reason])
	}
	table.line("oldest waiting", at(stats.OldestWaiting))
	table.line("next retry", at(stats.NextRetry))
	for _, p := range pauses {
		table.line("paused", p.String())
	}
	if len(pauses) == 0 {
		table.line("paused", "no")
	}
	return table.flush()
}

// pausedByOperator is the reason that deletion.PauseReasons leaves out: no request ends it.
const pausedByOperator = "operator"

// pause is one reason why nothing is sent to Polar.
type pause struct {
	Reason  string    `json:"reason"`  // operator, rate_limited, unauthorized, unexpected or outage
	Since   time.Time `json:"since"`   // of an operator's
	By      string    `json:"by"`      // of an operator's: who paused
	Because string    `json:"because"` // what the operator said about it
	Until   time.Time `json:"until"`   // when the next request may be tried; an operator's has no such time
}

// pauses are all of them that stand in the database: several may at once.
func (s *session) pauses(ctx context.Context, operator queue.Pause) (all []pause, err error) {
	all = []pause{}
	if operator.Paused {
		all = append(all, pause{Reason: pausedByOperator, Since: operator.Since, By: operator.By, Because: operator.Reason})
	}
	limiter, err := s.limiter(ctx, 0)
	if err != nil {
		return nil, err
	}
	reason, until, err := limiter.Pause(ctx)
	if reason != "" {
		all = append(all, pause{Reason: string(reason), Until: until.UTC()})
	}
	return all, err
}

// String says it in a line.
func (p pause) String() string {
	if p.Reason == pausedByOperator {
		text := "operator, since " + at(p.Since)
		if p.By != "" {
			text += " by " + visible(p.By)
		}
		text += ", until deletions resume"
		if p.Because != "" {
			text += ": " + visible(p.Because)
		}
		return text
	}
	why := map[string]string{
		string(deletion.WaitRateLimited): "Polar asks to wait", string(deletion.WaitUnauthorized): "Polar refuses the token",
		string(deletion.WaitUnexpected): "Polar does not answer as it should", string(deletion.WaitOutage): "Polar fails, or is not reached",
	}[p.Reason]
	return p.Reason + ", until " + at(p.Until) + ": " + why
}
