package ops

import (
	"context"
	"database/sql"
	"slices"

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
		var ledger *queue.Ledger
		err := queue.Transact(ctx, o.DB, o.Store, func(ctx context.Context, tx *sql.Tx) (err error) {
			ledger, err = o.Store.Insert(ctx, tx, chunk, a.dryRun, o.Now())
			return err
		})
		if err != nil {
			return total, err
		}
		for _, d := range chunk {
			id, reason, fresh := ledger.Claim(d)
			if !fresh {
				total.Duplicates++
				continue
			}
			total.Accepted++
			if reason != "" {
				total.Held++
			}
			o.Logger.Info("deletion accepted", zap.Int64("deletion_id", id), zap.String("provider", d.Provider), zap.String("event_id", d.EventID),
				zap.String("external_id", o.LogID(d.ExternalID)), zap.String("by", o.By), zap.Bool("dry_run", a.dryRun))
		}
	}
	return total, nil
}
