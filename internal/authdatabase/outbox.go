package authdatabase

import (
	"context"
	"database/sql"
	"time"
)

// Row is a row of the outbox: it claims that a user was deleted.
type Row struct {
	ID        string
	UserID    string // "" when it names nobody
	DeletedAt time.Time
}

// Take locks up to n rows until the transaction ends, past those that another one has
// locked. It takes none while rows cannot be deleted again. Its errors are *Error.
func (d *Database) Take(ctx context.Context, tx *sql.Tx, n int) (rows []Row, err error) {
	if err := d.Done(ctx, tx, nil); err != nil {
		return nil, err
	}
	var r Row
	err = query(d.sql.Take, n).each(ctx, tx, func() { rows = append(rows, r) }, &r.ID, &r.UserID, &r.DeletedAt)
	return rows, err
}

// Done deletes exactly the rows that Take has locked in this transaction. Its errors are
// *Error.
func (d *Database) Done(ctx context.Context, tx *sql.Tx, rows []Row) error {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	var deleted int
	if err := tx.QueryRowContext(ctx, d.sql.Done, ids).Scan(&deleted); err != nil {
		return Explain(err)
	}
	if deleted != len(rows) {
		return problem(NotInstalled, "polar_bridge.done deleted %d of the %d rows that it was told to: run what polar-bridge outbox sql prints again", deleted, len(rows))
	}
	return nil
}
