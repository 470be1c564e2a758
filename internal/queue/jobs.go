package queue

import (
	"context"
	"strconv"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// queueName is River's queue of a binding. Dry runs have a queue of their own that
// a server which deletes never works, and the other way round. The names are stored.
func queueName(binding int64, dryRun bool) string {
	name := "deletions"
	if dryRun {
		name = "dry_run"
	}
	return name + "_" + strconv.FormatInt(binding, 10)
}

// The names of the kinds are stored. They are never renamed.
const (
	kindDelete = "polar_bridge_delete"
	kindDryRun = "polar_bridge_dry_run"
	kindVerify = "polar_bridge_verify"
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

	id int64 // the job's, reserved for it; not stored in it
}

// deleteArgs carry a deletion out.
type deleteArgs jobArgs

// Kind implements river.JobArgs.
func (deleteArgs) Kind() string { return kindDelete }

// dryRunArgs only look at it.
type dryRunArgs jobArgs

// Kind implements river.JobArgs.
func (dryRunArgs) Kind() string { return kindDryRun }

// verifyArgs look again some time after a deletion.
type verifyArgs jobArgs

// Kind implements river.JobArgs.
func (verifyArgs) Kind() string { return kindVerify }

// job is what River is asked to do about a row.
func (j Job) params() river.InsertManyParams {
	args := jobArgs{DeletionID: j.DeletionID, Generation: j.Generation, id: j.ID}
	o := &river.InsertOpts{Queue: queueName(j.Binding, j.DryRun), MaxAttempts: maxAttempts, ScheduledAt: j.At}
	switch {
	case j.Verify:
		o.Priority = verifyPriority
		return river.InsertManyParams{Args: verifyArgs(args), InsertOpts: o}
	case j.DryRun:
		return river.InsertManyParams{Args: dryRunArgs(args), InsertOpts: o}
	}
	return river.InsertManyParams{Args: deleteArgs(args), InsertOpts: o}
}

// reservedIDs has River give a job the id that was reserved for it.
func reservedIDs() []rivertype.Hook {
	return []rivertype.Hook{river.HookInsertBeginFunc(func(_ context.Context, params *rivertype.JobInsertParams) error {
		switch args := params.Args.(type) {
		case deleteArgs:
			params.ID = &args.id
		case dryRunArgs:
			params.ID = &args.id
		case verifyArgs:
			params.ID = &args.id
		}
		return nil
	})}
}
