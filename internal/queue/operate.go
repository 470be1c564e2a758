package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/riverqueue/river/rivertype"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/event"
)

const (
	// approvedAtOnce is how many deletions share one transaction in bulk: a few
	// milliseconds, after which the servers get their turn.
	approvedAtOnce = 100
	// keptActions bounds what a deletion remembers of its operators, so that a
	// script cannot let it grow without end. The oldest go first.
	keptActions = 100
	// shortestTurn is the least time that servers get between two transactions.
	shortestTurn = 20 * time.Millisecond
)

// change is what becomes of one job.
type change int

const (
	changeNothing change = iota
	changeNote           // only its metadata
	changeWaiting        // it is due now
	changeCancelled
	changeStop // it is being tried; its worker is told to stop
)

// decision looks at a job in the state it has inside the transaction, may edit
// its metadata, and says what becomes of it. An error ends the transaction.
type decision func(j *job, m document) (change, Action, error)

// Retry lets a waiting or held deletion be tried now, with all its guards. It
// refuses one that is done, cancelled or being tried.
func (o *Operator) Retry(ctx context.Context, id int64) error {
	_, err := o.act(ctx, []int64{id}, func(j *job, m document) (change, Action, error) {
		switch {
		case j.running():
			return 0, Action{}, refused(id, "it is being tried right now")
		case j.finished():
			return 0, Action{}, refused(id, "it is %s, and a finished deletion is never tried again", j.stateInWords())
		case j.held():
			reason := release(m)
			if reason == string(event.HoldConflict) {
				return 0, Action{}, refused(id, "it is held as %s: its event had named another user before, and no guard can find out which of them left; "+
					"approve it, which makes it an event of its own, or cancel it", reason)
			}
			return changeWaiting, Action{Action: "retry", Reason: reason}, nil
		case j.state == string(rivertype.JobStateAvailable):
			return changeNote, Action{Action: "retry"}, nil // due already
		}
		return changeWaiting, Action{Action: "retry"}, nil
	})
	return err
}

// Approve lets a held deletion pass the guard that held it, and only that one.
func (o *Operator) Approve(ctx context.Context, id int64) error {
	_, err := o.act(ctx, []int64{id}, func(j *job, m document) (change, Action, error) {
		if !j.held() {
			return 0, Action{}, refused(id, "it is %s; only held deletions can be approved", j.stateInWords())
		}
		return approve(j, m)
	})
	return err
}

// Approvable says whether there is a guard that could be passed. Of the other
// reasons two say how Polar answers, the rest that no request can name the
// customer.
func Approvable(reason event.HoldReason) bool {
	none := []event.HoldReason{"", event.HoldForbidden, event.HoldUnexpected, event.HoldUnusableID, event.HoldUnaddressable}
	return !slices.Contains(none, reason)
}

func approve(j *job, m document) (change, Action, error) {
	var approved []event.HoldReason
	var reason event.HoldReason
	m.read(keyApproved, &approved)
	m.read(keyHoldReason, &reason)
	if reason == "" {
		return 0, Action{}, refused(j.id, "why it is held is not known; use retry")
	}
	if reason == event.HoldForbidden {
		return 0, Action{}, refused(j.id, "it is held as %s: Polar, or a proxy in front of it, answered 403, which no approval changes; "+
			"allow it there, then retry this one", reason)
	}
	if reason == event.HoldUnexpected {
		return 0, Action{}, refused(j.id, "it is held as %s: Polar answered oddly to this one, or the customer could not be looked up, which no approval changes; "+
			"retry this one", reason)
	}
	if !Approvable(reason) {
		return 0, Action{}, refused(j.id, "it is held as %s: no request to Polar can name this customer, so there is nothing to approve; "+
			"find and delete the customer in Polar's dashboard, then cancel this one with that as its reason", reason)
	}
	if !slices.Contains(approved, reason) {
		approved = append(approved, reason)
	}
	release(m)
	return changeWaiting, Action{Action: "approve", Reason: string(reason)}, m.write(keyApproved, approved)
}

// release takes the hold out and returns its reason.
func release(m document) (reason string) {
	m.read(keyHoldReason, &reason)
	delete(m, keyHoldReason)
	delete(m, keyHeldAt)
	delete(m, keyCancelAttempted)
	return reason
}

// Cancel ends a waiting or held deletion for good. One that is being tried is
// told to stop, and stopping says so: what has reached Polar already is done.
func (o *Operator) Cancel(ctx context.Context, id int64, reason string) (stopping bool, err error) {
	_, err = o.act(ctx, []int64{id}, func(j *job, _ document) (change, Action, error) {
		done := Action{Action: "cancel", Reason: reason}
		switch {
		case j.running():
			stopping = true
			return changeStop, done, nil
		case j.finished():
			return 0, Action{}, refused(id, "it is %s already", j.stateInWords())
		}
		return changeCancelled, done, nil
	})
	return stopping && err == nil, err
}

// act decides on each of the deletions and carries all of it out, or nothing,
// in one transaction. Afterwards it logs what was done and returns how many.
// An id that does not exist is refused.
func (o *Operator) act(ctx context.Context, ids []int64, decide decision) (int, error) {
	var lines [][]zap.Field
	err := o.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		parameters, values := numbered(ids)
		found, err := jobs(ctx, tx, "SELECT "+o.sql.columns+" FROM river_job WHERE id IN ("+parameters+") ORDER BY id"+o.sql.lock, values...)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if !slices.ContainsFunc(found, func(j *job) bool { return j.id == id && j.ours() }) && len(ids) == 1 {
				return unknownError(id)
			}
		}
		for _, j := range found {
			m := j.metadata()
			what, done, err := decide(j, m)
			if err != nil {
				return err
			}
			if what == changeNothing {
				continue
			}
			done.At, done.By = o.options.Now().UTC().Truncate(time.Second), o.options.By
			if err := m.note(done); err != nil {
				return err
			}
			if err := o.change(ctx, tx, j, m, what); err != nil {
				return err
			}
			lines = append(lines, o.line(j, done))
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, fields := range lines {
		o.options.Logger.Info("operator action", fields...)
	}
	return len(lines), nil
}

func (o *Operator) change(ctx context.Context, tx *sql.Tx, j *job, m document, what change) error {
	encoded, err := json.Marshal(m, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encode the metadata of deletion %d: %w", j.id, err)
	}
	set := ""
	switch what {
	case changeNothing, changeNote, changeStop:
	case changeWaiting:
		// An attempt must be left, or River would discard it.
		set = ", state = 'available', scheduled_at = " + o.sql.now + ", finalized_at = NULL, " +
			"attempt = CASE WHEN attempt >= max_attempts THEN max_attempts - 1 ELSE attempt END"
	case changeCancelled:
		set = ", state = 'cancelled', finalized_at = " + o.sql.now
	}
	//nolint:gosec // all parts are constants of ours
	_, err = tx.ExecContext(ctx, "UPDATE river_job SET metadata = "+o.sql.value("$2")+set+" WHERE id = $1", j.id, string(encoded))
	if err == nil && what == changeStop {
		_, err = o.client.JobCancelTx(ctx, tx, j.id)
	}
	if err != nil {
		return fmt.Errorf("change deletion %d: %w", j.id, err)
	}
	return nil
}

// note adds an action to what was done before.
func (m document) note(done Action) error {
	var actions []Action
	m.read(keyActions, &actions)
	actions = append(actions, done)
	return m.write(keyActions, actions[max(0, len(actions)-keptActions):])
}

// line is what the log says of an action.
func (o *Operator) line(j *job, done Action) []zap.Field {
	r := j.record()
	id := r.ExternalID
	if r.UnusableID != "" {
		id = r.UnusableID
	}
	return []zap.Field{
		zap.String("action", done.Action), zap.String("by", done.By), zap.String("reason", done.Reason),
		zap.Int64("deletion_id", j.id), zap.String("provider", r.Provider), zap.String("event_id", r.EventID),
		zap.String("external_id", o.options.LogID(id)),
	}
}

// rest lets others have their turn.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errors.Join(errors.New("interrupted"), ctx.Err())
	}
}
