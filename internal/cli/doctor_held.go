package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// checkHeld says what waits for a decision, and since when.
func (d *doctor) checkHeld(ctx context.Context) {
	if d.session == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	const name = "deletions"
	detail, held, err := d.countDeletions(ctx)
	switch {
	case err != nil:
		d.warnUncounted(err)
	case held:
		d.warn(name, detail, "Look at them: polar-bridge deletions list --state held. What to do about each reason: docs/runbook.md")
	default:
		d.ok(name, detail)
	}
}

func (d *doctor) warnUncounted(err error) {
	d.warn("deletions", "They could not be counted: "+visible(err.Error())+".", "Run doctor again; deletions stats counts them too.")
}

func (d *doctor) countDeletions(ctx context.Context) (detail string, held bool, err error) {
	stats, err := d.session.Stats(ctx)
	if err != nil {
		return "", false, err
	}
	waiting := 0
	for _, p := range stats.Providers {
		waiting += p.Waiting
	}
	detail = "Nothing waits"
	if waiting > 0 {
		detail = fmt.Sprintf("%d wait, the oldest for %s", waiting, age(stats.OldestWaiting))
	}
	if len(stats.Held) == 0 {
		return detail + ", and nothing is held.", false, nil
	}
	total, reasons := 0, []string{}
	for _, reason := range slices.Sorted(maps.Keys(stats.Held)) {
		total += stats.Held[reason]
		reasons = append(reasons, fmt.Sprintf("%s %d", reason, stats.Held[reason]))
	}
	oldest := ""
	for r, err := range d.session.List(ctx, ops.Filter{State: deletion.StateHeld, Oldest: true, Limit: 1}) {
		if err != nil {
			return "", false, err
		}
		oldest = ", the oldest for " + age(r.ReceivedAt)
	}
	return fmt.Sprintf("%d held for a decision (%s)%s. %s.", total, strings.Join(reasons, ", "), oldest, detail), true, nil
}
