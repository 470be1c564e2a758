package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// openDatabase opens the server's database, which knows why a deletion waits, if the
// settings lead to it.
func (t *selftest) openDatabase(ctx context.Context) {
	s, err := openSession(ctx, t.env, t.Database, t.Log, "")
	if err == nil {
		if t.limiter, err = s.limiter(ctx, t.Polar.RateLimit); err != nil {
			err = errors.Join(err, s.db.Close())
		}
	}
	if err != nil {
		t.unseen = "the server's database is not to be had here: " + err.Error()
		return
	}
	t.database, t.unseen = s, "the database here has no such deletion, so it is not the server's"
}

// checkDatabase says why no deletion is carried out at present.
func (t *selftest) checkDatabase(ctx context.Context) error {
	if t.database == nil {
		return nil
	}
	switch pause, err := t.database.Paused(ctx); {
	case err != nil:
		return err
	case pause.Paused:
		return paused(pause)
	}
	if limit := t.Guards.MaxDeletionsPerHour; limit > 0 {
		count, err := t.database.CountHour(ctx)
		if err != nil {
			return err
		}
		if count >= limit {
			return fmt.Errorf("MAX_DELETIONS_PER_HOUR is used up (%d): the deletion would be held", limit)
		}
	}
	return nil
}

func paused(p queue.Pause) error {
	return fmt.Errorf("the server is paused since %s UTC by %s: polar-bridge deletions resume", at(p.Since), visible(p.By))
}

// checkOrganization compares the customer's organization with the database's.
func (t *selftest) checkOrganization() error {
	if t.database == nil {
		return nil
	}
	owner := t.database.seen.Binding.Organization
	if owner == "" || owner == t.customer.OrganizationID {
		return nil
	}
	return fmt.Errorf("wrong organization: the server's database belongs to %s, and POLAR_ACCESS_TOKEN is of %s", visible(owner), visible(t.customer.OrganizationID))
}

// row is the deletion in the server's database; nil while there is none.
func (t *selftest) row(ctx context.Context) (*queue.Record, error) {
	if t.database == nil {
		return nil, nil //nolint:nilnil // none is no error
	}
	for r, err := range t.database.List(ctx, ops.Filter{ExternalID: t.externalID, Limit: 1}) {
		return &r, err
	}
	return nil, nil //nolint:nilnil // none is no error
}

// blocked says what keeps a deletion waiting that only somebody can remove; nil when
// nothing does.
func (t *selftest) blocked(ctx context.Context, r *queue.Record) error {
	if t.database.Foreign(r) {
		return errors.New("wrong organization: the server's POLAR_ACCESS_TOKEN is of another one than its database belongs to, so it sends nothing")
	}
	if pause, err := t.database.Paused(ctx); err == nil && pause.Paused {
		return paused(pause)
	}
	reason, _, err := t.limiter.Pause(ctx)
	if err == nil && reason == deletion.WaitUnauthorized {
		return errors.New("the server's token: Polar refuses it, or it lacks the scope customers:write")
	}
	return err
}

// cancelRow ends a deletion that was not carried out.
func (t *selftest) cancelRow(ctx context.Context) error {
	r, err := t.row(ctx)
	if err != nil || r == nil || r.State != deletion.StateWaiting && r.State != deletion.StateHeld {
		return err
	}
	_, err = t.database.Cancel(ctx, r.ID, "selftest is over")
	return err
}
