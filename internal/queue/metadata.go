package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/polar-bridge/polar-bridge/internal/event"
)

// heldFor puts a held deletion so far into the future that River neither runs
// nor cleans it, while its console shows it.
const heldFor = 200 * 365 * 24 * time.Hour

// heldFrom is a time that only held jobs are scheduled after, as both
// dialects compare it.
const heldFrom = "'2150-01-01 00:00:00'"

// Keys of a job's metadata. They are stored and never renamed.
const (
	keyHoldReason  = "hold_reason"
	keyHeldAt      = "held_at"
	keyPolarStatus = "polar_status"
	keyAnswerLost  = "answer_lost"
	keyAnonymized  = "answer_lost_anonymized"

	keyCustomerID        = "customer_id"
	keyCustomerType      = "customer_type"
	keyCustomerCreatedAt = "customer_created_at"
	keyVerifiedAt        = "verified_at"
)

// metadata is what this package reads of a job's metadata. Rescued is River's
// own count of how often the job was taken back from a worker that died.
type metadata struct {
	AnswerLost bool `json:"answer_lost"`
	Anonymized bool `json:"answer_lost_anonymized"`
	Rescued    int  `json:"river:rescue_count"`
}

// answerLost says whether an earlier attempt may have reached Polar unseen, and
// whether it is known to have asked for anonymization.
func answerLost(job *rivertype.JobRow) (lost, anonymized bool) {
	var m metadata
	if err := json.Unmarshal(job.Metadata, &m); err != nil {
		return true, false // unreadable: claim no more than what a lost answer allows
	}
	return m.AnswerLost || m.Rescued > 0, m.Anonymized
}

// approvals returns the reasons that an operator lets the deletion pass: none
// when they cannot be read.
func approvals(job *rivertype.JobRow) []event.HoldReason {
	var m struct {
		Approved []event.HoldReason `json:"approved"`
	}
	if err := json.Unmarshal(job.Metadata, &m); err != nil {
		return nil
	}
	return m.Approved
}

// seen returns whom an earlier attempt found at Polar.
func seen(job *rivertype.JobRow) event.Customer {
	var m struct {
		ID        string    `json:"customer_id"`
		Type      string    `json:"customer_type"`
		CreatedAt time.Time `json:"customer_created_at"`
	}
	if err := json.Unmarshal(job.Metadata, &m); err != nil {
		return event.Customer{}
	}
	return event.Customer{ID: m.ID, Type: m.Type, CreatedAt: m.CreatedAt}
}

// sentBackAt returns when an operator last sent the deletion on its way again,
// zero when nobody has.
func sentBackAt(job *rivertype.JobRow) (last time.Time) {
	var m struct {
		Actions []struct {
			At     time.Time `json:"at"`
			Action string    `json:"action"`
		} `json:"actions"`
	}
	if err := json.Unmarshal(job.Metadata, &m); err != nil {
		return time.Time{}
	}
	for _, done := range m.Actions {
		if (done.Action == "approve" || done.Action == "retry") && done.At.After(last) {
			last = done.At
		}
	}
	return last
}

// noteCustomer puts onto the job whom a look found.
func noteCustomer(ctx context.Context, found event.Customer) error {
	if found.ID == "" {
		return nil
	}
	return note(ctx, map[string]any{
		keyCustomerID: found.ID, keyCustomerType: found.Type,
		keyCustomerCreatedAt: found.CreatedAt.UTC().Format(time.RFC3339Nano),
	})
}

// note puts values onto the job that is being worked on.
func note(ctx context.Context, values map[string]any) error {
	for name, value := range values {
		if err := river.MetadataSet(ctx, name, value); err != nil {
			return fmt.Errorf("note %s: %w", name, err)
		}
	}
	return nil
}

func heldMetadata(reason event.HoldReason, at time.Time) []byte {
	encoded, err := json.Marshal(map[string]string{
		keyHoldReason: string(reason),
		keyHeldAt:     at.UTC().Format(time.RFC3339),
	})
	if err != nil {
		return nil // strings always encode
	}
	return encoded
}
