package queue

import (
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/riverqueue/river/rivertype"

	"github.com/polar-bridge/polar-bridge/internal/event"
)

// Keys of a job's metadata that operators write or read. They are stored and
// never renamed.
const (
	keyApproved         = "approved"
	keyActions          = "actions"
	keyForgotten        = "forgotten"
	keyCancelledCounted = "cancelled_counted"
	keyRescued          = "river:rescue_count"  // River's
	keyCancelAttempted  = "cancel_attempted_at" // River's
)

// State is where a deletion stands, in the words that commands, metrics and
// documentation share.
type State string

// The states.
const (
	StateWaiting   State = "waiting"   // it will be tried
	StateHeld      State = "held"      // somebody must decide
	StateDone      State = "done"      // its outcome is known
	StateCancelled State = "cancelled" // an operator did not want it
)

// Record is everything that is known of one deletion. Times are UTC, and zero
// when there is none. The JSON names are those of the log.
type Record struct {
	ID    int64 `json:"deletion_id"`
	State State `json:"state"`
	// Running says that a waiting one is being tried right now.
	Running bool `json:"running,omitzero"`
	// DryRun says that everything but the DELETE is, or was, done.
	DryRun bool `json:"dry_run,omitzero"`
	// Verification says that this is no deletion but the look-up after one,
	// which is held when it found somebody.
	Verification bool `json:"verification,omitzero"`
	// Forgotten says that Forget took everything personal out.
	Forgotten bool `json:"forgotten,omitzero"`

	Provider   string `json:"provider"`
	EventID    string `json:"event_id,omitzero"`
	UserID     string `json:"user_id,omitzero"`
	ExternalID string `json:"external_id,omitzero"`
	// Instance is the provider's instance or tenant that told of it.
	Instance string `json:"instance,omitzero"`
	// UnusableID is quoted already; see event.Deletion.
	UnusableID string `json:"unusable_id,omitzero"`

	OccurredAt time.Time `json:"occurred_at,omitzero"`
	ReceivedAt time.Time `json:"received_at,omitzero"`
	NextTryAt  time.Time `json:"next_try_at,omitzero"` // of a waiting one
	FinishedAt time.Time `json:"finished_at,omitzero"` // of a done or cancelled one

	// Attempts counts those that were made, the one under way among them.
	Attempts    int                `json:"attempts"`
	Outcome     event.Outcome      `json:"outcome,omitzero"` // of a done or cancelled one
	ConfirmedBy event.Confirmation `json:"confirmed_by,omitzero"`
	Anonymized  bool               `json:"anonymized,omitzero"`
	PolarStatus int                `json:"polar_status,omitzero"`
	HoldReason  event.HoldReason   `json:"hold_reason,omitzero"` // of a held one
	HeldAt      time.Time          `json:"held_at,omitzero"`
	// AnswerLost says that an attempt may have reached Polar unseen.
	AnswerLost bool `json:"answer_lost,omitzero"`

	// What the look before deleting found at Polar; of a done one, who was deleted.
	CustomerID        string `json:"customer_id,omitzero"`
	CustomerType      string `json:"customer_type,omitzero"`
	CustomerCreatedAt string `json:"customer_created_at,omitzero"`
	// What a dry run found that a deletion would end.
	ActiveSubscriptions *int `json:"active_subscriptions,omitzero"`
	GrantedBenefits     *int `json:"granted_benefits,omitzero"`
	// VerifiedAt is when a look-up after the deletion found nobody.
	VerifiedAt time.Time `json:"verified_at,omitzero"`

	Approved []event.HoldReason `json:"approved,omitempty"`
	Actions  []Action           `json:"actions,omitempty"`
	// Failures are the attempts that failed; List leaves them out.
	Failures []Failure `json:"failures,omitempty"`
}

// Action is what an operator did. It is stored as it stands here.
type Action struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Action string    `json:"action"`
	Reason string    `json:"reason,omitempty"`
}

// Failure is one failed attempt.
type Failure struct {
	At      time.Time `json:"at"`
	Attempt int       `json:"attempt"`
	Error   string    `json:"error"`
}

// job is a row of River's table.
type job struct {
	id                           int64
	kind, state                  string
	attempt                      int
	created, scheduled           time.Time
	finalized                    *time.Time
	rawArgs, rawMetadata, rawErr []byte
}

// held says whether somebody must decide. River would have to discard a job by
// itself, which nothing here makes it do; should it ever, a human must see it.
func (j *job) held() bool {
	state := rivertype.JobState(j.state)
	return state == rivertype.JobStateDiscarded || state == rivertype.JobStateScheduled && j.scheduled.After(heldSince())
}

// heldSince is heldFrom as a time.
func heldSince() time.Time { return time.Date(2150, 1, 1, 0, 0, 0, 0, time.UTC) }

func (j *job) running() bool  { return j.state == string(rivertype.JobStateRunning) }
func (j *job) finished() bool { return j.finalized != nil && !j.held() }

// ours says whether an operator has any business with it.
func (j *job) ours() bool {
	return j.kind == kindDeletion || j.kind == kindDryRun || j.kind == kindVerify
}

// shown says whether it is a deletion, or a look-up after one that needs a human.
func (j *job) shown() bool {
	return j.ours() && (j.kind != kindVerify || j.held())
}

func (j *job) stateInWords() State {
	switch {
	case j.held():
		return StateHeld
	case j.state == string(rivertype.JobStateCompleted):
		return StateDone
	case j.state == string(rivertype.JobStateCancelled):
		return StateCancelled
	}
	return StateWaiting
}

// record reads the row. What cannot be read is left out: an operator must see
// such a deletion too.
func (j *job) record() Record {
	var a args
	_ = json.Unmarshal(j.rawArgs, &a) // what was read until then stays
	r := Record{
		ID: j.id, State: j.stateInWords(), Running: j.running(),
		DryRun: j.kind == kindDryRun, Verification: j.kind == kindVerify,
		Provider: a.Provider, EventID: a.EventID, UserID: a.UserID, ExternalID: a.ExternalID, UnusableID: a.UnusableID, Instance: a.Instance,
		OccurredAt: a.OccurredAt.UTC(), ReceivedAt: a.ReceivedAt.UTC(), Attempts: j.attempt,
	}
	if r.ReceivedAt.IsZero() {
		r.ReceivedAt = j.created.UTC()
	}
	if r.State == StateWaiting && !r.Running {
		r.NextTryAt = j.scheduled.UTC()
	}
	if j.finished() {
		r.FinishedAt = j.finalized.UTC()
	}
	j.details(&r)
	_ = json.Unmarshal(j.rawErr, &r.Failures, json.RejectUnknownMembers(false))
	return r
}

// details reads the job's metadata, each member for itself.
func (j *job) details(r *Record) {
	m := j.metadata()
	o := document{}
	m.read(rivertype.MetadataKeyOutput, &o)
	o.read("outcome", &r.Outcome)
	o.read("confirmed_by", &r.ConfirmedBy)
	o.read("anonymized", &r.Anonymized)
	o.read("polar_status", &r.PolarStatus)
	switch r.State {
	case StateHeld:
		m.read(keyHoldReason, &r.HoldReason)
		m.read(keyHeldAt, &r.HeldAt)
		m.read(keyPolarStatus, &r.PolarStatus)
	case StateCancelled:
		r.Outcome = event.OutcomeCancelled
	case StateWaiting, StateDone:
	}
	var rescued int
	m.read(keyAnswerLost, &r.AnswerLost)
	m.read(keyRescued, &rescued)
	r.AnswerLost = r.AnswerLost || rescued > 0
	m.read(keyCustomerID, &r.CustomerID)
	o.read(keyCustomerID, &r.CustomerID)
	o.read("active_subscriptions", &r.ActiveSubscriptions)
	o.read("granted_benefits", &r.GrantedBenefits)
	m.read(keyCustomerType, &r.CustomerType)
	m.read(keyCustomerCreatedAt, &r.CustomerCreatedAt)
	m.read(keyVerifiedAt, &r.VerifiedAt)
	m.read(keyApproved, &r.Approved)
	m.read(keyActions, &r.Actions)
	m.read(keyForgotten, &r.Forgotten)
}

// document is a job's metadata with everything that others keep in it.
type document map[string]jsontext.Value

func (j *job) metadata() document {
	m := document{}
	_ = json.Unmarshal(j.rawMetadata, &m) // unreadable metadata says nothing
	return m
}

// read leaves target alone when there is no such member, or another kind of one.
func (m document) read(key string, target any) {
	if value, ok := m[key]; ok {
		_ = json.Unmarshal(value, target)
	}
}

func (m document) write(key string, value any) error {
	encoded, err := json.Marshal(value)
	if err == nil {
		m[key] = encoded
	}
	return err
}
