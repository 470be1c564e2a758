package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
	"github.com/polar-bridge/polar-bridge/internal/settings"
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

// checkReconciled says of each provider that can be asked whether its last
// reconciliation came to its end.
func (d *doctor) checkReconciled(ctx context.Context, all settings.All) {
	const name = "reconciliation"
	if d.session == nil {
		return
	}
	for _, provider := range all.ProviderNames() {
		if all.CheckReconcile(provider) != nil {
			continue
		}
		sweeper, err := reconcile.New(reconcile.Options{DB: d.session.db.Reader, SQL: d.session.db.SQL, Now: time.Now, Source: directory.Source{Provider: provider}})
		var last reconcile.Last
		if err == nil {
			last, err = sweeper.Last(ctx)
		}
		switch {
		case err != nil:
			d.warn(name, "It could not be looked at: "+visible(err.Error())+".", "Run doctor again.")
		case last.Incomplete != "":
			d.warn(name, fmt.Sprintf("The last one with %s, begun %s, %s; the last complete one ended %s.", provider, at(last.BegunAt), last.Incomplete, cmp.Or(strings.Trim(at(last.FinishedAt), "-"), "never")),
				"serve's log says why (customers not reconciled), and so does: polar-bridge reconcile --provider "+provider)
		case !last.FinishedAt.IsZero():
			d.ok(name, fmt.Sprintf("The last one with %s ended %s: %s without a user.", provider, at(last.FinishedAt), plural(last.Orphans, "customer")))
		}
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
