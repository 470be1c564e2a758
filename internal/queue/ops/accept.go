package ops

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// acceptedAtOnce bounds the deletions of one transaction.
const acceptedAtOnce = 100

// Acceptor stores deletions that an operator's command has found. Servers carry
// them out.
type Acceptor struct {
	operator *Operator
	dryRun   bool
}

// Acceptor returns what stores deletions; dry ones when the servers run dry.
func (o *Operator) Acceptor(dryRun bool) Acceptor { return Acceptor{o, dryRun} }

// Accept stores the deletions and returns once they are on disk, with a line of
// log for each that is new. Repeats are recognised as in queue.Accept. Each 100
// of them are one transaction: after an error some may be stored, and are
// duplicates when it is called again.
func (a Acceptor) Accept(ctx context.Context, deletions []deletion.Deletion) (deletion.Receipt, error) {
	var total deletion.Receipt
	o := a.operator.options
	for chunk := range slices.Chunk(deletions, acceptedAtOnce) {
		var some deletion.Receipt
		var lines [][]zap.Field
		err := queue.Transact(ctx, o.DB, o.Store, func(ctx context.Context, tx *sql.Tx) (err error) {
			some, lines, err = a.accept(ctx, tx, chunk)
			return err
		})
		if err != nil {
			return total, err
		}
		total = total.Plus(some)
		for _, fields := range lines {
			o.Logger.Info("deletion accepted", fields...)
		}
	}
	return total, nil
}

// accept stores them and notes who found what a reconciliation found. It returns what the
// log says of each that is new.
func (a Acceptor) accept(ctx context.Context, tx *sql.Tx, deletions []deletion.Deletion) (total deletion.Receipt, lines [][]zap.Field, err error) {
	o, now := a.operator.options, a.operator.options.Now()
	ledger, err := o.Store.Insert(ctx, tx, deletions, a.dryRun, now)
	if err != nil {
		return total, nil, err
	}
	for _, d := range deletions {
		id, reason, fresh := ledger.Claim(d)
		if !fresh {
			total.Duplicates++
			continue
		}
		total.Accepted++
		if reason != "" {
			total.Held++
		}
		if d.Reconciled() {
			if err := a.operator.note(ctx, tx, id, queue.Action{At: now, Action: "reconcile"}); err != nil {
				return total, nil, err
			}
		}
		lines = append(lines, []zap.Field{
			zap.Int64("deletion_id", id), zap.String("provider", d.Provider), zap.String("event_id", d.EventID),
			zap.String("external_id", o.LogID(d.ExternalID)), zap.String("by", o.By), zap.Bool("dry_run", a.dryRun),
		})
	}
	return total, lines, nil
}

// LeftAlone says which of the deletions that a reconciliation found are not to be
// accepted, and why, by event id: those of whose customer there is a deletion that is
// held, cancelled or waiting, or whose customer reappeared. One that found another
// customer under the same external id is no reason; nor is one of the same event, of
// which these are duplicates; nor a dry run, unless these are dry ones too.
func (a Acceptor) LeftAlone(ctx context.Context, deletions []deletion.Deletion) (map[string]deletion.Standing, error) {
	externalIDs := make([]string, len(deletions))
	for i, d := range deletions {
		externalIDs[i] = d.ExternalID
	}
	known, err := a.open(ctx, a.operator.options.Reader, externalIDs)
	if err != nil {
		return nil, err
	}
	// Of several, what somebody must decide says most.
	order := []deletion.State{deletion.StateCancelled, deletion.StateWaiting, deletion.StateReappeared, deletion.StateHeld}
	left := map[string]deletion.Standing{}
	for _, d := range deletions {
		for _, r := range known[d.ExternalID] {
			duplicate := r.Provider == d.Provider && r.EventID == d.EventID && r.DryRun == a.dryRun
			another := r.CustomerID != "" && r.CustomerID != d.ReconciledCustomer()
			if !duplicate && !another && slices.Index(order, r.State) > slices.Index(order, left[d.EventID].State) {
				left[d.EventID] = deletion.Standing{State: r.State, Reason: r.HoldReason}
			}
		}
	}
	return left, nil
}

// open finds the deletions of the customers that are not done, by external id; dry
// runs only where these count.
func (a Acceptor) open(ctx context.Context, from queue.Querier, externalIDs []string) (map[string][]queue.Record, error) {
	batch, err := json.Marshal(externalIDs)
	if err != nil {
		return nil, fmt.Errorf("encode external ids: %w", err)
	}
	o := a.operator.options
	ids, err := queue.IDs(ctx, from, a.operator.sql.OpenOfExternalIDs, string(batch), o.Store.Binding(), a.dryRun)
	if err != nil {
		return nil, fmt.Errorf("look for deletions of the same customers: %w", err)
	}
	records, err := o.Store.Records(ctx, from, ids, o.Now())
	if err != nil {
		return nil, err
	}
	known := make(map[string][]queue.Record, len(records))
	for _, r := range records {
		known[r.ExternalID] = append(known[r.ExternalID], r)
	}
	return known, nil
}
