package ops

import (
	"context"
	"crypto/rand"
	"database/sql"
	"slices"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// verbRequest is what is noted of a request: no other verb makes a deletion.
const verbRequest deletion.Verb = "request"

// Request is a deletion that an operator asks for by hand.
type Request struct {
	Provider, UserID, ExternalID string
	Object                       deletion.Object
	// AlthoughUserExists lets it pass deletion.HoldUserExists.
	AlthoughUserExists bool
}

func (r Request) deletion(now time.Time) deletion.Deletion {
	return deletion.Deletion{
		Provider: r.Provider, Object: r.Object, EventID: "request:" + rand.Text(), UserID: r.UserID, ExternalID: r.ExternalID,
		Source: deletion.SourceOperator, OccurredAt: now, ReceivedAt: now,
	}
}

// Requested is what became of a Request.
type Requested struct {
	ID int64 // the deletion's; or the other one's, because of which it was left alone
	// LeftAlone is where another deletion of the same customer stands, which is waiting
	// or held; the zero value when there is none and the request was stored.
	LeftAlone deletion.Standing

	stored deletion.Deletion
}

// Request stores the deletions, but for those of whose customer one waits or is held
// already, with who asked and why. It returns what became of each, in the same order.
// Each 100 of them are one transaction: what was stored before an error is left alone
// when they are requested again.
func (a Acceptor) Request(ctx context.Context, requests []Request, reason string) (all []Requested, err error) {
	for chunk := range slices.Chunk(requests, acceptedAtOnce) {
		var some []Requested
		err := queue.Transact(ctx, a.operator.options.DB, a.operator.options.Store, func(ctx context.Context, tx *sql.Tx) (err error) {
			some, err = a.request(ctx, tx, chunk, reason)
			return err
		})
		if err != nil {
			return all, err
		}
		for _, r := range some {
			if r.LeftAlone.State == "" {
				record := queue.Record{ID: r.ID, Provider: r.stored.Provider, EventID: r.stored.EventID, ExternalID: r.stored.ExternalID}
				a.operator.options.Logger.Info("operator action", a.operator.line(record, &act{action: verbRequest, reason: reason})...)
			}
		}
		all = append(all, some...)
	}
	return all, nil
}

func (a Acceptor) request(ctx context.Context, tx *sql.Tx, requests []Request, reason string) ([]Requested, error) {
	o := a.operator
	switch active, err := o.options.Bindings.Active(ctx, tx); {
	case err != nil:
		return nil, err
	case active != o.options.Store.Binding():
		return nil, refused(0, "the database belongs to another Polar organization since this command began; run it again")
	}
	all, err := a.leftAlone(ctx, tx, requests)
	if err != nil {
		return nil, err
	}
	now := o.options.Now()
	var fresh []deletion.Deletion
	for i, r := range requests {
		if all[i].LeftAlone.State == "" {
			all[i].stored = r.deletion(now)
			fresh = append(fresh, all[i].stored)
		}
	}
	ledger, err := o.options.Store.Insert(ctx, tx, fresh, a.dryRun, now)
	if err != nil {
		return nil, err
	}
	for i, r := range requests {
		if all[i].LeftAlone.State != "" {
			continue
		}
		all[i].ID, _, _ = ledger.Claim(all[i].stored)
		done := act{action: verbRequest, reason: reason}
		if r.AlthoughUserExists {
			done.approves, done.reason = deletion.HoldUserExists, reason+" (although the user exists)"
		}
		if err := o.record(ctx, tx, queue.Record{ID: all[i].ID}, &done, now); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// LeftAloneOnRequest says which of the requests would be left alone now.
func (a Acceptor) LeftAloneOnRequest(ctx context.Context, requests []Request) ([]Requested, error) {
	return a.leftAlone(ctx, a.operator.options.Reader, requests)
}

func (a Acceptor) leftAlone(ctx context.Context, from queue.Querier, requests []Request) ([]Requested, error) {
	externalIDs := make([]string, len(requests))
	for i, r := range requests {
		externalIDs[i] = r.ExternalID
	}
	open, err := a.open(ctx, from, externalIDs)
	if err != nil {
		return nil, err
	}
	all := make([]Requested, len(requests))
	for i, r := range requests {
		// What was cancelled, or reappeared, is why somebody may ask by hand.
		for _, other := range open[r.ExternalID] {
			if other.State == deletion.StateWaiting || other.State == deletion.StateHeld {
				all[i] = Requested{ID: other.ID, LeftAlone: deletion.Standing{State: other.State, Reason: other.HoldReason}}
			}
		}
	}
	return all, nil
}
