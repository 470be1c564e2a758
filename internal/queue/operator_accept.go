package queue

import (
	"context"
	"database/sql"
	"slices"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/event"
)

// Acceptor stores deletions that an operator's command has found. Servers carry
// them out.
type Acceptor struct {
	operator *Operator
	dryRun   bool
}

// Acceptor returns what stores deletions; dry ones when the servers run dry.
func (o *Operator) Acceptor(dryRun bool) Acceptor { return Acceptor{o, dryRun} }

// Accept stores the deletions and returns once they are on disk, with a line of
// log for each that is new. Repeats are recognised as in Queue.Accept. Each 100
// of them are one transaction: after an error some may be stored, and are
// duplicates when it is called again.
func (a Acceptor) Accept(ctx context.Context, deletions []event.Deletion) (event.Receipt, error) {
	var total event.Receipt
	for chunk := range slices.Chunk(deletions, acceptChunk) {
		var known ledger
		err := a.operator.transact(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
			known, err = insertMany(ctx, a.operator.client, tx, chunk, insertOptions{dryRun: a.dryRun, now: a.operator.options.Now()})
			return err
		})
		if err != nil {
			return total, notTaken(err)
		}
		for _, d := range chunk {
			reason, fresh := known.claim(d)
			if !fresh {
				total.Duplicates++
				continue
			}
			total.Accepted++
			if reason != "" {
				total.Held++
			}
			a.log(d)
		}
	}
	return total, nil
}

func (a Acceptor) log(d event.Deletion) {
	o := a.operator.options
	o.Logger.Info("deletion accepted", zap.String("provider", d.Provider), zap.String("event_id", d.EventID),
		zap.String("external_id", o.LogID(d.ExternalID)), zap.String("by", o.By), zap.Bool("dry_run", a.dryRun))
}
