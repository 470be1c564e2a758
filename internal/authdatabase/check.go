package authdatabase

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Report says how what is installed differs from what InstallSQL makes.
type Report struct {
	Instance string // which database it is
	Soft     bool   // soft deletions are recorded as well
	// Faults are sentences for people, none when all is right.
	Faults []string
}

func (r *Report) fault(format string, args ...any) {
	r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
}

// Check looks at the catalog, and takes rows of the outbox and deletes them in a
// transaction that is rolled back. Its errors are *Error: the database could not be asked.
func (d *Database) Check(ctx context.Context) (Report, error) {
	var r Report
	tx, err := d.BeginTx(ctx, nil)
	if err != nil {
		return r, Explain(err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing is to stay
	for _, look := range []func(context.Context, *sql.Tx, *Report) error{d.checkFunctions, d.checkTriggers, d.checkTable, d.checkRights} {
		if err := look(ctx, tx, &r); err != nil {
			return r, err
		}
	}
	// From here on an error may end the transaction.
	rows, err := d.Take(ctx, tx, 1)
	if err == nil {
		err = d.Done(ctx, tx, rows)
	}
	if err != nil {
		r.fault("A row of the outbox cannot be read and deleted: %s.", err)
		return r, nil
	}
	var id string
	if err := query(d.sql.Living, []string{}).each(ctx, tx, func() {}, &id); err != nil {
		r.fault("Nobody can say who exists: %s.", err)
	}
	return r, nil
}

// checkFunctions compares the functions with those that are printed.
func (d *Database) checkFunctions(ctx context.Context, tx *sql.Tx, r *Report) (err error) {
	var found map[string]string
	if r.Instance, found, err = d.installed(ctx, tx); err != nil {
		return err
	}
	for _, name := range append(executed(), "user_deleted") {
		if err := d.verify(name, found[name]); err != nil {
			r.fault("A function is not as it should be: %s.", err)
		}
	}
	r.Soft = found["living"] != d.bodies[0]["living"]
	var name string
	return query(d.sql.UnsafeFunctions).each(ctx, tx, func() {
		r.fault("The function polar_bridge.%s lacks SECURITY DEFINER or SET search_path = ''.", name)
	}, &name)
}

// checkTriggers looks whether deletions are recorded.
func (d *Database) checkTriggers(ctx context.Context, tx *sql.Tx, r *Report) error {
	var deleted, softDeleted, onDelete, onUpdate bool
	err := query(d.sql.Triggers, d.Schema, d.Table).each(ctx, tx, func() {
		deleted, softDeleted = deleted || onDelete, softDeleted || onUpdate
	}, &onDelete, &onUpdate)
	if err != nil {
		return err
	}
	if !deleted {
		r.fault("Deletions are not recorded: the trigger polar_bridge_deleted on %s is missing or disabled.", d.From())
	}
	if softDeleted != r.Soft {
		r.fault("Soft deletions are recorded but such users count as existing, or the other way round: the trigger polar_bridge_soft_deleted on %s is missing, disabled or too much.", d.From())
	}
	return nil
}

// checkTable looks for what could make the insert into the outbox fail.
func (d *Database) checkTable(ctx context.Context, tx *sql.Tx, r *Report) error {
	var obstacle string
	return query(d.sql.Obstacles).each(ctx, tx, func() {
		r.fault("The insert into polar_bridge.outbox can fail, and a user's deletion with it, because of %s.", obstacle)
	}, &obstacle)
}

// checkRights looks who owns what is there, and who else may do something with it.
func (d *Database) checkRights(ctx context.Context, tx *sql.Tx, r *Report) error {
	var owner string
	var owners []string
	var ours bool
	err := query(d.sql.Owners).each(ctx, tx, func() {
		owners = append(owners, owner)
		if ours {
			r.fault("The role in AUTH_DATABASE_URL, %q, owns what is there: an administrator must, and the role may only execute the functions.", owner)
		}
	}, &owner, &ours)
	if err != nil {
		return err
	}
	if len(owners) > 1 {
		r.fault("What is there has several owners: %s. It must be one, who runs what polar-bridge outbox sql prints.", strings.Join(owners, ", "))
	}
	var stranger string
	var strangers []string
	err = query(d.sql.Strangers).each(ctx, tx, func() { strangers = append(strangers, stranger) }, &stranger)
	if len(strangers) > 0 {
		r.fault("Others may do something in the schema polar_bridge, or its role more than it should, and could have anybody's customer deleted: %s.", strings.Join(strangers, ", "))
	}
	return err
}

// ErrRehearsal says that a deletion of that user would not be noticed.
var ErrRehearsal = errors.New("the rehearsal failed")

// Rehearse deletes a user as an administrator, looks whether that is noticed, and rolls
// all of it back: at no time can anybody else see it. Errors: ErrRehearsal, or *Error.
func (d *Database) Rehearse(ctx context.Context, admin *sql.DB, userID string) error {
	tx, err := admin.BeginTx(ctx, nil)
	if err != nil {
		return Explain(err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing is to stay
	if _, err := tx.ExecContext(ctx, "SET LOCAL lock_timeout = '3s'"); err != nil {
		return Explain(err)
	}
	failed := func(sentence string) error { return fmt.Errorf("%w: %s", ErrRehearsal, sentence) }
	if living, err := d.rehearseLiving(ctx, tx, userID); err != nil || !living {
		return cmp.Or(err, failed("polar_bridge.living does not know this user, who must exist"))
	}
	statement, err := Installation{Users: d.Users}.render("rehearsal")
	if err != nil {
		return err
	}
	deleted, err := tx.ExecContext(ctx, statement, userID)
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return failed("the DELETE of this user was refused (SQLSTATE " + refused.Code + ")")
	}
	if err != nil {
		return Explain(err)
	}
	if n, err := deleted.RowsAffected(); err != nil || n != 1 {
		return failed("there is no such user")
	}
	var recorded int
	// Its time is the transaction's.
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM polar_bridge.outbox WHERE user_id = $1 AND deleted_at = now()", userID).Scan(&recorded); err != nil {
		return Explain(err)
	}
	if recorded != 1 {
		return failed("the deletion was not recorded in polar_bridge.outbox: triggers are off, or the user is one of those who are left out")
	}
	if living, err := d.rehearseLiving(ctx, tx, userID); err != nil || living {
		return cmp.Or(err, failed("polar_bridge.living says that the deleted user exists"))
	}
	return nil
}

func (d *Database) rehearseLiving(ctx context.Context, tx *sql.Tx, userID string) (living bool, err error) {
	var id string
	var ids []string
	err = query(d.sql.Living, []string{userID}).each(ctx, tx, func() { ids = append(ids, id) }, &id)
	return slices.Contains(ids, userID), err
}
