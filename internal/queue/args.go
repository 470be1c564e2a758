package queue

import (
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/polar-bridge/polar-bridge/internal/event"
)

// The names of the queues and kinds are stored. They are never renamed.
const (
	queueDeletions = "deletions"
	queueDryRun    = "dry_run"
	kindDeletion   = "delete_customer"
	kindDryRun     = "delete_customer_dry_run"
	kindVerify     = "verify_customer"
)

// argsVersion is written into every job. Fields are only ever added; a change
// of meaning gets a new version, and a program that does not know a job's
// version leaves it waiting.
const argsVersion = 1

// reasonNewerArgs is the log's reason for leaving it.
const reasonNewerArgs = "newer_version"

// maxAttempts is the highest number that River's column takes: a deletion is
// given up by its age, never by its count.
const maxAttempts = 32767

// args are a stored deletion. Provider, EventID and Variant are the idempotency
// key.
type args struct {
	Provider string `json:"provider" river:"unique"`
	EventID  string `json:"event_id" river:"unique"`
	// Variant is a digest of the user, of a repeat that names another one than
	// the first of its event did. River leaves an absent member out of the key.
	Variant    string    `json:"variant,omitempty" river:"unique"`
	UserID     string    `json:"user_id,omitempty"`
	ExternalID string    `json:"external_id,omitempty"`
	UnusableID string    `json:"unusable_id,omitempty"`
	Instance   string    `json:"instance,omitempty"`
	OccurredAt time.Time `json:"occurred_at"`
	ReceivedAt time.Time `json:"received_at"`
	Version    int       `json:"version"`

	// Of a verification: the deletion's id in the queue, and whom it deleted.
	DeletionID int64  `json:"deletion_id,omitempty"`
	CustomerID string `json:"customer_id,omitempty"`

	// retryAt is when the worker wants the job again, asked for by River after
	// the attempt. It is zero for a job that is rescued: that runs at once.
	retryAt time.Time
}

// deletionArgs is a deletion that will be carried out. It is not a struct with
// args inside, because River looks for unique fields at the top only.
type deletionArgs args

// Kind implements river.JobArgs.
func (deletionArgs) Kind() string { return kindDeletion }

// dryRunArgs is a deletion that will only be looked at. Its kind is its own,
// so that having been tried dry does not count as having been seen.
type dryRunArgs args

// Kind implements river.JobArgs.
func (dryRunArgs) Kind() string { return kindDryRun }

// verifyArgs is a look some time after a deletion.
type verifyArgs args

// Kind implements river.JobArgs.
func (verifyArgs) Kind() string { return kindVerify }

// arguments gives the generic worker access to what all kinds share.
func (a *deletionArgs) arguments() *args { return (*args)(a) }
func (a *dryRunArgs) arguments() *args   { return (*args)(a) }
func (a *verifyArgs) arguments() *args   { return (*args)(a) }

func (a *args) deletion() event.Deletion {
	return event.Deletion{
		Provider: a.Provider, EventID: a.EventID,
		UserID: a.UserID, ExternalID: a.ExternalID, UnusableID: a.UnusableID, Instance: a.Instance,
		OccurredAt: a.OccurredAt, ReceivedAt: a.ReceivedAt,
	}
}

// insertion turns a deletion into the parameters of its job. One that a human
// has to decide about is stored as held from the first moment on.
func insertion(d event.Deletion, variant string, dryRun bool, now time.Time) river.InsertManyParams {
	stored := args{
		Provider: d.Provider, EventID: d.EventID, Variant: variant,
		UserID: d.UserID, ExternalID: d.ExternalID, UnusableID: d.UnusableID, Instance: d.Instance,
		OccurredAt: d.OccurredAt.UTC(), ReceivedAt: d.ReceivedAt.UTC(), Version: argsVersion,
	}
	options := &river.InsertOpts{
		Queue:       queueDeletions,
		MaxAttempts: maxAttempts,
		UniqueOpts:  river.UniqueOpts{ByArgs: true, ByState: rivertype.JobStates()},
	}
	if reason := heldFromTheStart(d, variant); reason != "" {
		options.ScheduledAt = now.Add(heldFor)
		options.Metadata = heldMetadata(reason, now)
	}
	if dryRun {
		options.Queue = queueDryRun
		return river.InsertManyParams{Args: dryRunArgs(stored), InsertOpts: options}
	}
	return river.InsertManyParams{Args: deletionArgs(stored), InsertOpts: options}
}
