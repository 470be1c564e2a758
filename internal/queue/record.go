package queue

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// Record is everything that is known of one deletion. Times are UTC, and zero
// when there is none. The JSON names are those of the log; docs/json.md has them with
// these comments.
type Record struct {
	ID      int64          `json:"deletion_id"` // as list and the log show it
	State   deletion.State `json:"state"`       // where it stands
	Running bool           `json:"running"`     // a request about a waiting one is on its way right now
	DryRun  bool           `json:"dry_run"`     // everything but the DELETE is, or was, done

	// Forgotten says that everything personal was taken out.
	Forgotten bool `json:"forgotten"`

	Provider   string          `json:"provider"`    // who told of it
	EventID    string          `json:"event_id"`    // the provider's id of the event
	Source     deletion.Source `json:"source"`      // the way it came
	Object     deletion.Object `json:"object"`      // who was deleted at the provider
	UserID     string          `json:"user_id"`     // the provider's id of the user
	ExternalID string          `json:"external_id"` // whose customer at Polar is to go
	TraceID    string          `json:"trace_id"`    // the W3C trace that its webhook was part of
	Instance   string          `json:"instance"`    // the provider's instance or tenant that told of it
	// UnusableID is an id that no customer can have, quoted.
	UnusableID string `json:"unusable_id"`

	OccurredAt time.Time `json:"occurred_at"` // when the user was deleted, as the provider says
	ReceivedAt time.Time `json:"received_at"` // when it was accepted
	NextTryAt  time.Time `json:"next_try_at"` // of a waiting one
	SentAt     time.Time `json:"sent_at"`     // when a request to Polar was sent that may have done it
	FinishedAt time.Time `json:"finished_at"` // of a done or cancelled one

	Attempts int64 `json:"attempts"` // requests that may have been sent
	Failures int64 `json:"failures"` // tries in a row that failed
	// LookupFailingSeconds is for how long the lookup has failed although Polar
	// works, without pauses.
	LookupFailingSeconds int64 `json:"lookup_failing_seconds"`

	Result      string                `json:"result"`       // what the last attempt came to
	DecidedAt   time.Time             `json:"decided_at"`   // when the last attempt ended
	Outcome     deletion.Outcome      `json:"outcome"`      // of a done or cancelled one
	ConfirmedBy deletion.Confirmation `json:"confirmed_by"` // how it is known that the customer is gone
	Anonymized  bool                  `json:"anonymized"`   // name and e-mail were erased at Polar as well
	PolarStatus *int                  `json:"polar_status"` // HTTP's, of Polar's last answer; null when there was none
	PolarError  string                `json:"polar_error"`  // Polar's code of the error in it
	HoldReason  deletion.HoldReason   `json:"hold_reason"`  // of a held one
	HeldAt      time.Time             `json:"held_at"`      // when it was held last
	AnswerLost  bool                  `json:"answer_lost"`  // an attempt may have reached Polar unseen

	CustomerID        string    `json:"customer_id"`         // Polar's id of the customer as last looked up: who was deleted, or who was found after that
	CustomerType      string    `json:"customer_type"`       // Polar's type of that customer: individual or team
	CustomerCreatedAt time.Time `json:"customer_created_at"` // when Polar's customer was created

	ActiveSubscriptions *int `json:"active_subscriptions"` // that the deletion ends; null when they were not counted
	GrantedBenefits     *int `json:"granted_benefits"`     // that the deletion ends; null when they were not counted

	MetadataSearch    deletion.Search `json:"metadata_search"`    // what the last search by metadata came to
	MetadataCustomers []string        `json:"metadata_customers"` // Polar's ids of the customers whom it found, when they are several

	Verification deletion.Verification `json:"verification"` // what a lookup after the deletion came to
	VerifyAt     time.Time             `json:"verify_at"`    // when that lookup is due
	VerifiedAt   time.Time             `json:"verified_at"`  // when it was done
	// SubscriptionsEnded says what Polar said then about the customer's subscriptions.
	SubscriptionsEnded deletion.SubscriptionsEnded `json:"subscriptions_ended"`

	Approved []deletion.Approval `json:"approved"` // the guards that an operator lets it pass
	Actions  []Action            `json:"actions"`  // what operators did, the oldest first

	// Binding is the Polar organization that it belongs to.
	Binding int64 `json:"-"`
	// Generation counts how often it was sent on its way.
	Generation int64 `json:"-"`

	// InFlight says that a request is on its way right now, whatever the state.
	InFlight bool `json:"-"`

	traceparent deletion.Traceparent

	failingFor, lookupFailingFor time.Duration

	send sendState
}

// Action is what an operator did.
type Action struct {
	At     time.Time `json:"at"`     // when
	By     string    `json:"by"`     // who, as they say themselves: cli: or console: and a name
	Action string    `json:"action"` // what: approve, retry, cancel, redo, acknowledge, request, reconcile or forget
	Reason string    `json:"reason"` // why, in their words
}

// scanRecord reads a row of the statement Records, as it stands at now, by Store.Clock.
func scanRecord(rows *sql.Rows, now time.Time) (Record, error) {
	var r Record
	var occurred, received, nextTry, finished, decided, held, created, verify, verified, failing, lookupFailing int64
	var subscriptions, benefits, status int
	var candidates, traceparent string
	err := rows.Scan(&r.ID, &r.State, &r.DryRun, &r.Forgotten, &r.Provider, &r.EventID, &r.Source, &r.Object, &r.UserID, &r.ExternalID, &r.Instance, &r.UnusableID,
		&occurred, &received, &nextTry, &finished, &r.Attempts, &r.Failures, &failing, &lookupFailing, &r.Result, &decided, &r.Outcome, &r.ConfirmedBy, &r.Anonymized,
		&status, &r.PolarError, &r.HoldReason, &held, &r.send.sentAt, &r.send.inFlight, &r.send.anonymized, &r.send.saw, &r.CustomerID, &r.CustomerType, &created,
		&subscriptions, &benefits, &r.MetadataSearch, &candidates, &r.Verification, &verify, &verified, &r.SubscriptionsEnded, &r.Binding, &r.Generation, &traceparent)
	if err != nil {
		return Record{}, fmt.Errorf("read a deletion: %w", err)
	}
	r.OccurredAt, r.ReceivedAt, r.NextTryAt, r.FinishedAt = Instant(occurred), Instant(received), Instant(nextTry), Instant(finished)
	r.SentAt = Instant(r.send.sentAt)
	r.DecidedAt, r.HeldAt, r.CustomerCreatedAt = Instant(decided), Instant(held), Instant(created)
	r.VerifyAt, r.VerifiedAt = Instant(verify), Instant(verified)
	r.traceparent = deletion.ParseTraceparent(traceparent)
	r.TraceID = r.traceparent.TraceID()
	r.MetadataCustomers = strings.Fields(candidates)
	r.failingFor = time.Duration(failing) * time.Microsecond
	r.lookupFailingFor = time.Duration(lookupFailing) * time.Microsecond
	r.LookupFailingSeconds = lookupFailing / int64(time.Second/time.Microsecond)
	r.AnswerLost = r.send.sentAt > 0 && r.Outcome == ""
	r.InFlight = r.send.left(now) > 0
	r.Running = r.State == deletion.StateWaiting && r.InFlight
	if status != 0 {
		r.PolarStatus = &status
	}
	if subscriptions >= 0 {
		r.ActiveSubscriptions, r.GrantedBenefits = &subscriptions, &benefits
	}
	return r, nil
}

// Customer is whom the deletion found or deleted.
func (r *Record) Customer() deletion.Customer {
	return deletion.Customer{ID: r.CustomerID, Type: r.CustomerType, CreatedAt: r.CustomerCreatedAt}
}

// Remedy is what operators can do about it, once a human has to look at it.
func (r *Record) Remedy() deletion.Remedy {
	byLookup := r.HoldReason == deletion.HoldExhausted && r.lookupFailingFor >= lookupGiveUpAfter
	return deletion.RemedyFor(r.State, r.HoldReason, byLookup)
}

// Deletion is what was accepted.
func (r *Record) Deletion() deletion.Deletion {
	return deletion.Deletion{
		Provider: r.Provider, Object: r.Object, EventID: r.EventID, UserID: r.UserID, ExternalID: r.ExternalID, UnusableID: r.UnusableID,
		Instance: r.Instance, Source: r.Source, OccurredAt: r.OccurredAt, ReceivedAt: r.ReceivedAt,
		Traceparent: r.traceparent,
	}
}

// Records reads deletions in the order of their ids. Those that are not there any
// more are left out.
func (s *Store) Records(ctx context.Context, from Querier, ids []int64, now time.Time) ([]Record, error) {
	return s.records(ctx, from, s.sql.Records, ids, now)
}

// LockRecords reads them as Records does and keeps others from changing them until
// the transaction ends.
func (s *Store) LockRecords(ctx context.Context, tx *sql.Tx, ids []int64, now time.Time) ([]Record, error) {
	return s.records(ctx, tx, s.sql.LockRecords, ids, now)
}

func (s *Store) records(ctx context.Context, from Querier, statement string, ids []int64, now time.Time) (found []Record, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	all, err := batch(ids)
	if err != nil {
		return nil, err
	}
	err = namedsql.Each(ctx, from, func(row *sql.Rows) error {
		r, err := scanRecord(row, now)
		found = append(found, r)
		return err
	}, statement, all)
	if err != nil {
		return nil, fmt.Errorf("read deletions: %w", err)
	}
	return found, nil
}

// Approvals reads the guards that an operator lets deletions pass, by their ids.
func (s *Store) Approvals(ctx context.Context, from Querier, ids ...int64) (map[int64][]deletion.Approval, error) {
	all := map[int64][]deletion.Approval{}
	batched, err := batch(ids)
	if err != nil {
		return nil, err
	}
	err = namedsql.Each(ctx, from, func(row *sql.Rows) error {
		var a deletion.Approval
		var id int64
		err := row.Scan(&id, &a.Reason, &a.CustomerID)
		all[id] = append(all[id], a)
		return err
	}, s.sql.Approvals, batched)
	if err != nil {
		return nil, fmt.Errorf("read approvals: %w", err)
	}
	return all, nil
}
