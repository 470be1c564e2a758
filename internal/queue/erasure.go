package queue

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/riverqueue/river/rivertype"
	"go.uber.org/zap"
)

// forgotten is what stays of a deletion's arguments. Repeats are recognised by
// River's unique key, a hash of provider and event id that stands beside them.
type forgotten struct {
	Provider   string    `json:"provider"`
	OccurredAt time.Time `json:"occurred_at"`
	ReceivedAt time.Time `json:"received_at"`
	Version    int       `json:"version"`
}

// Forget takes everything personal out of the records of one person: ids, the
// event's too, errors and what operators wrote. What happened when stays, and
// a repeat of the event is still a duplicate. It returns how many records.
//
// It refuses, and changes nothing, while one of them is not finished.
func (o *Operator) Forget(ctx context.Context, externalID string) (int, error) {
	var ids []int64
	for some, err := range o.ids(ctx, selection{where: o.sql.argument("external_id") + " = $1", parameters: []any{externalID}}) {
		if err != nil {
			return 0, err
		}
		ids = append(ids, some...)
	}
	if len(ids) == 0 {
		return 0, nil
	}
	done := Action{At: o.options.Now().UTC().Truncate(time.Second), By: o.options.By, Action: "forget"}
	var providers []string
	err := o.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for some := range slices.Chunk(ids, rowsAtOnce) {
			parameters, values := numbered(some)
			found, err := jobs(ctx, tx, "SELECT "+o.sql.columns+" FROM river_job WHERE id IN ("+parameters+") ORDER BY id"+o.sql.lock, values...)
			if err != nil {
				return err
			}
			for _, j := range found {
				if err := o.forget(ctx, tx, j, done); err != nil {
					return err
				}
				providers = append(providers, j.record().Provider)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for i, provider := range providers {
		o.options.Logger.Info("operator action", zap.String("action", done.Action), zap.String("by", done.By),
			zap.Int64("deletion_id", ids[i]), zap.String("provider", provider))
	}
	return len(providers), nil
}

// forget rewrites one record. Only what is known to say nothing about the
// person is kept, whatever other versions may have added.
func (o *Operator) forget(ctx context.Context, tx *sql.Tx, j *job, done Action) error {
	if !j.finished() {
		what := "deletion"
		if j.kind == kindVerify {
			what = "look-up after the deletion"
		}
		return refused(j.id, "this %s of the same person is %s; wait until it is finished, or cancel it first", what, j.stateInWords())
	}
	var a args
	_ = json.Unmarshal(j.rawArgs, &a) // what cannot be read need not be kept
	arguments, err := json.Marshal(forgotten{Provider: a.Provider, OccurredAt: a.OccurredAt, ReceivedAt: a.ReceivedAt, Version: a.Version})
	if err != nil {
		return fmt.Errorf("encode the arguments of deletion %d: %w", j.id, err)
	}
	m, err := j.impersonal(done)
	if err != nil {
		return err
	}
	//nolint:gosec // all parts are constants of ours
	_, err = tx.ExecContext(ctx, "UPDATE river_job SET args = "+o.sql.value("$2")+", metadata = "+o.sql.value("$3")+", errors = NULL WHERE id = $1",
		j.id, string(arguments), string(m))
	if err != nil {
		return fmt.Errorf("forget deletion %d: %w", j.id, err)
	}
	return nil
}

// impersonal is the job's metadata without anything personal.
func (j *job) impersonal(done Action) ([]byte, error) {
	m, kept := j.metadata(), document{}
	for _, key := range []string{
		keyApproved, keyHoldReason, keyHeldAt, keyPolarStatus, keyAnswerLost, keyAnonymized, keyVerifiedAt, keyCancelledCounted, keyRescued, keyCancelAttempted,
	} {
		if value, ok := m[key]; ok {
			kept[key] = value
		}
	}
	o := document{}
	var actions []Action
	m.read(rivertype.MetadataKeyOutput, &o)
	m.read(keyActions, &actions)
	for name := range o {
		if !slices.Contains([]string{"outcome", "confirmed_by", "polar_status", "anonymized", "finished_at"}, name) {
			delete(o, name)
		}
	}
	for i := range actions {
		actions[i].Reason = "" // an operator may have named the person
	}
	for key, value := range map[string]any{
		rivertype.MetadataKeyOutput: o, keyActions: append(actions, done), keyForgotten: true,
	} {
		if err := kept.write(key, value); err != nil {
			return nil, fmt.Errorf("encode the metadata of deletion %d: %w", j.id, err)
		}
	}
	if j.state == string(rivertype.JobStateCancelled) {
		delete(kept, rivertype.MetadataKeyOutput) // it has none
	}
	encoded, err := json.Marshal(kept, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encode the metadata of deletion %d: %w", j.id, err)
	}
	return encoded, nil
}
