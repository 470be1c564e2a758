package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
	"github.com/polar-bridge/polar-bridge/internal/settings"
	"github.com/polar-bridge/polar-bridge/polar"
)

const (
	samplePages   = 3
	sampleTimeout = 30 * time.Second // a server's deletions go first
)

// checkCustomers counts Polar's customers by their external ids. It shares the servers'
// rate limit; without their database it counts a sample at most.
func (d *doctor) checkCustomers(ctx context.Context, client *polar.Client, form settings.IDForm) {
	const name = "customers"
	pages, wait := 0, (func(context.Context, time.Duration) error)(nil)
	if !d.All || d.session == nil {
		pages, wait = samplePages, func(context.Context, time.Duration) error { return errors.New("Polar did not answer at once") } //nolint:staticcheck // a name begins it
		timed, cancel := context.WithTimeout(ctx, sampleTimeout)
		defer cancel()
		ctx = timed
	}
	o := reconcile.Options{Now: time.Now, Polar: client, IsUsers: form.Matches, Limiter: unlimited{}, Wait: wait, OnProgress: progress(d.env.Stderr)}
	mapping, err := d.countCustomers(ctx, o, pages)
	if err != nil {
		d.warn(name, fmt.Sprintf("How many of Polar's customers can be found was not counted: %q.", err.Error()), "Run doctor again when Polar answers and nothing is paused.")
		return
	}
	d.report.Customers = &mapping
	detail := mappingInWords(mapping, form)
	if mapping.Total > mapping.Counted() && d.session == nil && d.All {
		detail += " All of them are counted where the server's database is, whose rate limit is shared."
	}
	if mapping.Absent > 0 && d.Config.Polar.MetadataKey != "" {
		detail += " Those without one whose metadata has POLAR_METADATA_KEY are found by it, and held."
	}
	if mapping.Present < mapping.Counted() {
		d.warn(name, detail, "Set the external id at checkout, and give it to the customers who have none: docs/mapping.md.")
		return
	}
	d.ok(name, detail)
}

func (d *doctor) countCustomers(ctx context.Context, o reconcile.Options, pages int) (m reconcile.Mapping, err error) {
	if d.session != nil {
		limiter, err := d.session.limiter(ctx, d.Config.Polar.RateLimit)
		if err != nil {
			return m, err
		}
		o.DB, o.SQL, o.Limiter = d.session.db.Main, d.session.db.SQL, limiter.ForSweeps()
	}
	sweeper, err := reconcile.New(o)
	if err != nil {
		return m, err
	}
	if m, err = sweeper.CountMapping(ctx, pages); err == nil && d.session != nil {
		err = sweeper.SaveMapping(ctx, m)
	}
	return m, err
}

// unlimited gives a permit whenever it is asked: no server has begun yet.
type unlimited struct{}

// Acquire implements reconcile.Limiter.
func (u unlimited) Acquire(context.Context, int) (deletion.Permit, deletion.Decision) { return u, nil }

// Report implements deletion.Permit.
func (unlimited) Report(context.Context, deletion.Decision) error { return nil }

// mappingInWords says how many customers can be found, and what follows.
func mappingInWords(m reconcile.Mapping, form settings.IDForm) string {
	if m.Counted() == 0 {
		return "Polar has no customers yet."
	}
	whose := "of the form of " + form.Of + "'s ids"
	switch {
	case form.Of == "EXTERNAL_ID_PATTERN":
		whose = "that matches " + form.Of
	case form.Any:
		whose = "(whose form says nothing here: EXTERNAL_ID_PATTERN can)"
	}
	if m.Counted() == 1 && m.Total <= 1 {
		return onlyCustomerInWords(m, whose)
	}
	looked := "All " + plural(m.Counted(), "customer") + " of Polar's"
	if m.Total > m.Counted() {
		looked = fmt.Sprintf("A sample of %d of Polar's %d customers", m.Counted(), m.Total)
	}
	text := fmt.Sprintf("%s: %d have an external id %s, %d another one, %d none.", looked, m.Present, whose, m.Foreign, m.Absent)
	if lost := m.Foreign + m.Absent; lost > 0 {
		return text + fmt.Sprintf(" Of these %d, no user's deletion finds the customer: it ends as not_found, and Polar goes on charging.", lost)
	}
	return text + " A user's deletion finds each of them."
}

// onlyCustomerInWords says it of a shop that has just begun.
func onlyCustomerInWords(m reconcile.Mapping, whose string) string {
	const lost = ". No user's deletion finds them: it ends as not_found, and Polar goes on charging."
	switch {
	case m.Foreign == 1:
		return "Polar's only customer has another external id than one " + whose + lost
	case m.Absent == 1:
		return "Polar's only customer has no external id" + lost
	}
	return "Polar's only customer has an external id " + whose + ". A user's deletion finds them."
}
