package cli

import (
	"fmt"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/authdatabase"
)

type outboxCommand struct {
	SQL    outboxSQLCommand    `cmd:"" name:"sql" help:"Print the SQL that makes the outbox in the auth system's database."`
	Check  outboxCheckCommand  `cmd:"" help:"Look whether it was run there and deletions will come."`
	Remove outboxRemoveCommand `cmd:"" help:"Print the SQL that undoes it."`
}

// usersFlags say which table has the users, as the settings of serve do.
type usersFlags struct {
	Schema string `name:"schema" env:"AUTH_DATABASE_SCHEMA" type:"setting" placeholder:"NAME" help:"Whose tables they are: better-auth, authjs, supabase, logto, keycloak, kratos or hanko; keycloak/REALM-ID counts the users of one realm, and so on for the tenants of logto, kratos and hanko."`
	Users  string `name:"users" env:"AUTH_DATABASE_USERS" type:"setting" placeholder:"COLUMN" help:"Where the users' ids are, instead of or beside --schema: schema.table.column with SQL's quoting, and ::uuid or ::bigint behind it unless they are text."`
}

type outboxSQLCommand struct {
	usersFlags

	SoftDelete bool `name:"soft-delete" help:"A user who is kept with a time in deleted_at counts as deleted too (supabase, or a table of your own)."`
}

// Help is shown below the flags' list.
func (*outboxSQLCommand) Help() string {
	return `Review it, then have an administrator run it in the auth system's database: polar-bridge outbox sql --schema better-auth | psql "$ADMIN_URL". It can be run again, for another table too. docs/outbox.md says what it does not cover.`
}

// Run prints the SQL.
func (c *outboxSQLCommand) Run(env *Env, loader *config.Loader) error {
	if err := loader.Load(); err != nil {
		return err
	}
	users, inColumn, err := authdatabase.Parse(c.Schema, c.Users)
	if err != nil {
		flag := "--schema"
		if inColumn {
			flag = "--users"
		}
		return usage("%s %w", flag, err)
	}
	text, err := authdatabase.Installation{Users: users, Soft: c.SoftDelete}.InstallSQL()
	if err != nil {
		return usage("--soft-delete: %w", err)
	}
	_, err = fmt.Fprint(env.Stdout, text)
	return err
}

type outboxRemoveCommand struct{}

// Run prints the SQL.
func (*outboxRemoveCommand) Run(env *Env) error {
	text, err := authdatabase.RemoveSQL()
	if err == nil {
		_, err = fmt.Fprint(env.Stdout, text)
	}
	return err
}
