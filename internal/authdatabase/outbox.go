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
func Take(ctx context.Context, tx *sql.Tx, n int) ([]Row, error) {
	if err := Done(ctx, tx, nil); err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, "SELECT id::text, coalesce(user_id, ''), deleted_at FROM polar_bridge.take($1::integer)", n)
	if err != nil {
		return nil, Explain(err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	var all []Row
	for rows.Next() {
		var r Row
		if err := rows.Scan(&r.ID, &r.UserID, &r.DeletedAt); err != nil {
			return nil, Explain(err)
		}
		all = append(all, r)
	}
	return all, Explain(rows.Err())
}

// Done deletes exactly the rows that Take has locked in this transaction. Its errors are
// *Error.
func Done(ctx context.Context, tx *sql.Tx, rows []Row) error {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	var deleted int
	if err := tx.QueryRowContext(ctx, "SELECT polar_bridge.done($1::text[]::uuid[])", ids).Scan(&deleted); err != nil {
		return Explain(err)
	}
	if deleted != len(rows) {
		return problem(NotInstalled, "polar_bridge.done deleted %d of the %d rows that it was told to: run what polar-bridge outbox sql prints again", deleted, len(rows))
	}
	return nil
}
