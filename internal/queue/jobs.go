package queue

import (
	"github.com/riverqueue/river"
)

// The names of the queues and kinds are stored. They are never renamed.
const (
	queueDeletions = "deletions"
	queueDryRun    = "dry_run"
	kindDelete     = "polar_bridge_delete"
	kindDryRun     = "polar_bridge_dry_run"
	kindVerify     = "polar_bridge_verify"
)

// maxAttempts is the highest number that River's column takes: River never gives
// a deletion up.
const maxAttempts = 32767

// verifyPriority comes after every deletion; River's are 1 to 4.
const verifyPriority = 4

// jobArgs is all that a job holds: the row says everything else.
type jobArgs struct {
	DeletionID int64 `json:"deletion_id"`
	Generation int64 `json:"generation"`
}

// deleteArgs carry a deletion out.
type deleteArgs jobArgs

// Kind implements river.JobArgs.
func (deleteArgs) Kind() string { return kindDelete }

// dryRunArgs only look at it. Their queue is their own: a server that deletes
// never works them, and the other way round.
type dryRunArgs jobArgs

// Kind implements river.JobArgs.
func (dryRunArgs) Kind() string { return kindDryRun }

// verifyArgs look again some time after a deletion.
type verifyArgs jobArgs

// Kind implements river.JobArgs.
func (verifyArgs) Kind() string { return kindVerify }

// job is what River is asked to do about a row.
func (j Job) params() river.InsertManyParams {
	args := jobArgs{DeletionID: j.DeletionID, Generation: j.Generation}
	o := &river.InsertOpts{Queue: queueDeletions, MaxAttempts: maxAttempts, ScheduledAt: j.At}
	switch {
	case j.Verify:
		o.Priority = verifyPriority
		return river.InsertManyParams{Args: verifyArgs(args), InsertOpts: o}
	case j.DryRun:
		o.Queue = queueDryRun
		return river.InsertManyParams{Args: dryRunArgs(args), InsertOpts: o}
	}
	return river.InsertManyParams{Args: deleteArgs(args), InsertOpts: o}
}
