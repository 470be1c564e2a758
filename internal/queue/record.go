package queue

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// Record is everything that is known of one deletion. Times are UTC, and zero
// when there is none. The JSON names are those of the log.
type Record struct {
	ID    int64          `json:"deletion_id"`
	State deletion.State `json:"state"`
	// Running says that a request about a waiting one is on its way right now.
	Running bool `json:"running,omitzero"`
	// DryRun says that everything but the DELETE is, or was, done.
	DryRun bool `json:"dry_run,omitzero"`
	// Forgotten says that everything personal was taken out.
	Forgotten bool `json:"forgotten,omitzero"`

	Provider   string          `json:"provider"`
	EventID    string          `json:"event_id,omitzero"`
	Source     deletion.Source `json:"source,omitzero"`
	Object     deletion.Object `json:"object,omitzero"`
	UserID     string          `json:"user_id,omitzero"`
	ExternalID string          `json:"external_id,omitzero"`
	// TraceID is the W3C trace that its webhook was part of.
	TraceID string `json:"trace_id,omitzero"`
	// Instance is the provider's instance or tenant that told of it.
	Instance string `json:"instance,omitzero"`
	// UnusableID is quoted already; see deletion.Deletion.
	UnusableID string `json:"unusable_id,omitzero"`

	OccurredAt time.Time `json:"occurred_at,omitzero"`
	ReceivedAt time.Time `json:"received_at,omitzero"`
	NextTryAt  time.Time `json:"next_try_at,omitzero"` // of a waiting one
	SentAt     time.Time `json:"sent_at,omitzero"`     // when a request to Polar was sent that may have done it
	FinishedAt time.Time `json:"finished_at,omitzero"` // of a done or cancelled one

	// Attempts counts the requests that may have been sent, Failures the tries in
	// a row that failed.
	Attempts int64 `json:"attempts"`
	Failures int64 `json:"failures,omitzero"`
	// LookupFailingSeconds is for how long the lookup has failed although Polar
	// works, without pauses.
	LookupFailingSeconds int64 `json:"lookup_failing_seconds,omitzero"`
	// Result is what the last attempt came to, at DecidedAt.
	Result      string                `json:"result,omitzero"`
	DecidedAt   time.Time             `json:"decided_at,omitzero"`
	Outcome     deletion.Outcome      `json:"outcome,omitzero"` // of a done or cancelled one
	ConfirmedBy deletion.Confirmation `json:"confirmed_by,omitzero"`
	Anonymized  bool                  `json:"anonymized,omitzero"`
	PolarStatus int                   `json:"polar_status,omitzero"`
	PolarError  string                `json:"polar_error,omitzero"`
	HoldReason  deletion.HoldReason   `json:"hold_reason,omitzero"` // of a held one
	HeldAt      time.Time             `json:"held_at,omitzero"`
	// AnswerLost says that an attempt may have reached Polar unseen.
	AnswerLost bool `json:"answer_lost,omitzero"`

	// The customer as last looked up at Polar; of a done one, who was deleted, and
	// of one that reappeared, who was found.
	CustomerID        string    `json:"customer_id,omitzero"`
	CustomerType      string    `json:"customer_type,omitzero"`
	CustomerCreatedAt time.Time `json:"customer_created_at,omitzero"`
	// What the lookup found that the deletion would end; nil when not known.
	ActiveSubscriptions *int `json:"active_subscriptions,omitzero"`
	GrantedBenefits     *int `json:"granted_benefits,omitzero"`
	// MetadataSearch is what the last search by metadata came to, and MetadataCustomers are
	// the customers whom it found when they are several, by Polar's ids.
	MetadataSearch    deletion.Search `json:"metadata_search,omitzero"`
	MetadataCustomers []string        `json:"metadata_customers,omitempty"`
	// Verification is what a lookup after the deletion came to, at VerifiedAt.
	Verification deletion.Verification `json:"verification,omitzero"`
	VerifyAt     time.Time             `json:"verify_at,omitzero"`
	VerifiedAt   time.Time             `json:"verified_at,omitzero"`
	// SubscriptionsEnded says what Polar said then about the customer's subscriptions.
	SubscriptionsEnded deletion.SubscriptionsEnded `json:"subscriptions_ended,omitzero"`

	Approved []deletion.Approval `json:"approved,omitempty"`
	Actions  []Action            `json:"actions,omitempty"`

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
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Action string    `json:"action"`
	Reason string    `json:"reason,omitempty"`
}

// scanRecord reads a row of the statement Records, as it stands at now, by Store.Clock.
func scanRecord(rows *sql.Rows, now time.Time) (Record, error) {
	var r Record
	var occurred, received, nextTry, finished, decided, held, created, verify, verified, failing, lookupFailing int64
	var subscriptions, benefits int
	var candidates, traceparent string
	err := rows.Scan(&r.ID, &r.State, &r.DryRun, &r.Forgotten, &r.Provider, &r.EventID, &r.Source, &r.Object, &r.UserID, &r.ExternalID, &r.Instance, &r.UnusableID,
		&occurred, &received, &nextTry, &finished, &r.Attempts, &r.Failures, &failing, &lookupFailing, &r.Result, &decided, &r.Outcome, &r.ConfirmedBy, &r.Anonymized,
		&r.PolarStatus, &r.PolarError, &r.HoldReason, &held, &r.send.sentAt, &r.send.inFlight, &r.send.anonymized, &r.send.saw, &r.CustomerID, &r.CustomerType, &created,
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
	err = each(ctx, from, func(row *sql.Rows) error {
		r, err := scanRecord(row, now)
		found = append(found, r)
		return err
	}, statement, all)
	if err != nil {
		return nil, fmt.Errorf("read deletions: %w", err)
	}
	return found, nil
}

// Approvals reads the guards that an operator lets a deletion pass.
func (s *Store) Approvals(ctx context.Context, from Querier, id int64) (all []deletion.Approval, err error) {
	err = each(ctx, from, func(row *sql.Rows) error {
		var a deletion.Approval
		err := row.Scan(&a.Reason, &a.CustomerID)
		all = append(all, a)
		return err
	}, s.sql.Approvals, id)
	if err != nil {
		return nil, fmt.Errorf("read approvals: %w", err)
	}
	return all, nil
}
