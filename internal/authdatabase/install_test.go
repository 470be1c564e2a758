package authdatabase_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/authdatabase"
)

// tables are what each auth system keeps its users in, as far as it matters here.
func tables(s authdatabase.Schema) string {
	switch s {
	case authdatabase.BetterAuth:
		return `CREATE TABLE public."user" (id text PRIMARY KEY, "isAnonymous" boolean)`
	case authdatabase.AuthJS:
		return `CREATE TABLE public.users (id serial PRIMARY KEY)`
	case authdatabase.Supabase:
		return `CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, deleted_at timestamptz, is_anonymous boolean NOT NULL DEFAULT false)`
	case authdatabase.Logto:
		return `CREATE TABLE public.users (tenant_id varchar(21) NOT NULL DEFAULT 'default', id varchar(12) PRIMARY KEY)`
	case authdatabase.Keycloak:
		return `CREATE TABLE public.user_entity (id varchar(36) PRIMARY KEY, realm_id varchar(255), federation_link varchar(255), service_account_client_link varchar(255))`
	case authdatabase.Kratos:
		return `CREATE TABLE public.identities (id uuid PRIMARY KEY, nid uuid)`
	case authdatabase.Hanko:
		return `CREATE TABLE public.users (id uuid PRIMARY KEY)`
	}
	return ""
}

// ids are three ids in the form of the type.
func ids(t authdatabase.IDType) [3]string {
	switch t {
	case authdatabase.UUID:
		return [3]string{"0b9f8a3e-1111-4c3a-9d9a-6a5f2f1c7a55", "0b9f8a3e-2222-4c3a-9d9a-6a5f2f1c7a55", "0b9f8a3e-3333-4c3a-9d9a-6a5f2f1c7a55"}
	case authdatabase.BigInt:
		return [3]string{"1", "2", "3"}
	case authdatabase.Text:
	}
	return [3]string{"aB1", "aB2", "aB3"}
}

func TestOutboxSQL(t *testing.T) {
	t.Parallel()
	golden := map[string]authdatabase.Installation{
		"keycloak-realm": {Users: parse(t, "keycloak/9b2f-shop", "")},
		"supabase-soft":  {Users: parse(t, "supabase", ""), Soft: true},
		"quoted":         {Users: parse(t, "", `"my ""auth"".'x'".Users."User Id"::bigint`)},
	}
	for _, s := range authdatabase.Schemas() {
		golden[string(s)] = authdatabase.Installation{Users: parse(t, string(s), "")}
	}
	for name, installation := range golden {
		t.Run("is what was reviewed: "+name, func(t *testing.T) {
			t.Parallel()
			text, err := installation.InstallSQL()
			require.NoError(t, err)
			path := filepath.Join("testdata", name+".sql")
			if os.Getenv("UPDATE") != "" {
				require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), text)
		})
	}
	for _, s := range authdatabase.Schemas() {
		t.Run("records deletions and answers who is alive: "+string(s), func(t *testing.T) {
			t.Parallel()
			users := parse(t, string(s), "")
			a := open(t, tables(s))
			a.install(t, authdatabase.Installation{Users: users})
			a.install(t, authdatabase.Installation{Users: users}) // again
			id := ids(users.Type)
			for _, one := range id {
				a.run(t, "INSERT INTO "+users.From()+" ("+users.ID()+") VALUES ('"+one+"')")
			}
			a.run(t, "DELETE FROM "+users.From()+" WHERE id = '"+id[0]+"'")
			a.run(t, "BEGIN; DELETE FROM "+users.From()+" WHERE id = '"+id[1]+"'; ROLLBACK")
			a.as(t, "polar_bridge", func() {
				require.Equal(t, []string{id[1], id[2]}, a.texts(t, "SELECT living FROM polar_bridge.living($1) ORDER BY 1", []string{id[0], id[1], id[2], "no id", "-7", ""}))
				require.Equal(t, []string{id[0]}, a.texts(t, "SELECT user_id FROM polar_bridge.take(10)"))
				require.Equal(t, []string{"1"}, a.texts(t, "SELECT polar_bridge.done(ARRAY (SELECT id FROM polar_bridge.take(10)))"))
				require.Empty(t, a.texts(t, "SELECT user_id FROM polar_bridge.take(10)"))
			})
			remove, err := authdatabase.RemoveSQL()
			require.NoError(t, err)
			remove, _, _ = strings.Cut(remove, "-- Fails when the role")
			a.run(t, remove)
			a.run(t, "DELETE FROM "+users.From()) // nothing is in its way
			require.Equal(t, []string{"0"}, a.texts(t, "SELECT count(*)::text FROM pg_namespace WHERE nspname = 'polar_bridge'"))
		})
	}
}

func TestOutboxSQLLeavesOutWhatIsNoLeavingUser(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		schema authdatabase.Schema
		insert string
	}{
		"better-auth's anonymous users": {authdatabase.BetterAuth, `INSERT INTO public."user" VALUES ('stays', true), ('leaves', false), ('leaves too', NULL)`},
		"supabase's anonymous users": {
			authdatabase.Supabase,
			`INSERT INTO auth.users VALUES ('` + ids(authdatabase.UUID)[0] + `', NULL, true), ('` + ids(authdatabase.UUID)[1] + `', NULL, false), ('` + ids(authdatabase.UUID)[2] + `', now(), false)`,
		},
		"keycloak's federated users and service accounts": {
			authdatabase.Keycloak,
			`INSERT INTO public.user_entity VALUES ('stays', 'r', 'ldap', NULL), ('stays 2', 'r', NULL, 'client'), ('leaves', 'r', NULL, NULL), ('leaves too', 'r', NULL, NULL)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users := parse(t, string(test.schema), "")
			a := open(t, tables(test.schema))
			a.install(t, authdatabase.Installation{Users: users})
			a.run(t, test.insert)
			a.run(t, "DELETE FROM "+users.From())
			want := []string{"leaves", "leaves too"}
			if users.Type == authdatabase.UUID {
				want = []string{ids(users.Type)[1], ids(users.Type)[2]}
			}
			require.Equal(t, want, a.outbox(t))
		})
	}
	t.Run("with a column that comes later", func(t *testing.T) {
		t.Parallel()
		a := open(t, `CREATE TABLE public."user" (id text PRIMARY KEY)`)
		a.install(t, authdatabase.Installation{Users: parse(t, "better-auth", "")})
		a.run(t, `INSERT INTO public."user" VALUES ('first'); DELETE FROM public."user"`)
		a.run(t, `ALTER TABLE public."user" ADD "isAnonymous" boolean; INSERT INTO public."user" VALUES ('anonymous', true), ('second', false); DELETE FROM public."user"`)
		require.Equal(t, []string{"first", "second"}, a.outbox(t))
		a.run(t, `ALTER TABLE public."user" ALTER "isAnonymous" TYPE text; INSERT INTO public."user" VALUES ('third', 'true'); DELETE FROM public."user"`)
		require.Equal(t, []string{"first", "second", "third"}, a.outbox(t), "no change of the column stands in a deletion's way")
	})
}

func TestOutboxSQLWithSoftDeletion(t *testing.T) {
	t.Parallel()
	id := ids(authdatabase.UUID)
	for soft, want := range map[bool][]string{true: {id[0]}, false: nil} {
		t.Run(map[bool]string{true: "records it", false: "is an option"}[soft], func(t *testing.T) {
			t.Parallel()
			a := open(t, tables(authdatabase.Supabase))
			a.run(t, "INSERT INTO auth.users VALUES ('"+id[0]+"'), ('"+id[1]+"')")
			a.install(t, authdatabase.Installation{Users: parse(t, "supabase", ""), Soft: true})
			a.install(t, authdatabase.Installation{Users: parse(t, "supabase", ""), Soft: soft})
			a.run(t, "UPDATE auth.users SET deleted_at = now() WHERE id = '"+id[0]+"'")
			a.run(t, "UPDATE auth.users SET deleted_at = now() WHERE id = '"+id[0]+"'")
			require.Equal(t, want, a.outbox(t))
			living := map[bool][]string{true: {id[1]}, false: {id[0], id[1]}}[soft]
			require.Equal(t, living, a.texts(t, "SELECT living FROM polar_bridge.living($1) ORDER BY 1", id[:]))
		})
	}
	t.Run("is refused where there is none", func(t *testing.T) {
		t.Parallel()
		_, err := authdatabase.Installation{Users: parse(t, "kratos", ""), Soft: true}.InstallSQL()
		require.ErrorContains(t, err, "kratos has no soft deletion")
	})
}

func TestOutboxSQLRefusesTheProgramsOwnSchema(t *testing.T) {
	t.Parallel()
	a := open(t, tables(authdatabase.Hanko)+"; CREATE SCHEMA polar_bridge; CREATE TABLE polar_bridge.polar_bridge_deletions (id int)")
	text, err := authdatabase.Installation{Users: parse(t, "hanko", "")}.InstallSQL()
	require.NoError(t, err)
	require.ErrorContains(t, a.try(t, text), "set DATABASE_SCHEMA to another name")
}

// On hosted Supabase nobody is a superuser, the users' table is another role's, and its
// row security is on.
func TestAnAdministratorWhoIsNoSuperuserCanInstall(t *testing.T) {
	t.Parallel()
	users := parse(t, "supabase", "")
	id := ids(users.Type)
	for bypass, code := range map[bool]string{true: "", false: "PB002"} {
		t.Run(map[bool]string{true: "and remove it", false: "but is not believed where row security applies to them"}[bypass], func(t *testing.T) {
			t.Parallel()
			a := open(t, tables(authdatabase.Supabase))
			role := map[bool]string{true: "host_administrator", false: "host_restricted"}[bypass]
			a.role(t, role)
			a.role(t, "host_owner")
			a.run(t, "GRANT CREATE ON DATABASE "+a.texts(t, "SELECT quote_ident(current_database())")[0]+" TO "+role+`; GRANT ALL ON SCHEMA auth TO host_owner; GRANT USAGE ON SCHEMA auth TO `+role+`;
				ALTER TABLE auth.users OWNER TO host_owner; ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY; GRANT ALL ON auth.users TO `+role)
			if bypass {
				a.run(t, "ALTER ROLE "+role+" BYPASSRLS")
			}
			a.run(t, "INSERT INTO auth.users VALUES ('"+id[0]+"'), ('"+id[1]+"')")
			a.as(t, role, func() {
				a.install(t, authdatabase.Installation{Users: users, Soft: true})
				a.install(t, authdatabase.Installation{Users: users})
			})
			a.run(t, "DELETE FROM auth.users WHERE id = '"+id[0]+"'")
			require.Equal(t, id[:1], a.outbox(t))
			a.as(t, "polar_bridge", func() {
				if code != "" {
					require.Equal(t, code, a.code(t, "SELECT polar_bridge.living('{}')"))
					return
				}
				require.Equal(t, id[1:2], a.texts(t, "SELECT living FROM polar_bridge.living($1)", id[:]))
			})
			if code != "" {
				return
			}
			report, err := a.asked(t, users).Check(t.Context())
			require.NoError(t, err)
			require.Empty(t, report.Faults)
			a.run(t, "DELETE FROM polar_bridge.outbox")
			text, err := authdatabase.RemoveSQL()
			require.NoError(t, err)
			text, _, _ = strings.Cut(text, "-- Fails when the role")
			a.as(t, role, func() { a.run(t, text) })
			a.run(t, "DELETE FROM auth.users")
		})
	}
}

func TestLivingIsNotBelievedWhereAUserWhoExistsIsNotFound(t *testing.T) {
	t.Parallel()
	a := open(t, tables(authdatabase.AuthJS))
	a.install(t, authdatabase.Installation{Users: parse(t, "authjs", "")})
	a.run(t, "INSERT INTO public.users VALUES (-1)") // no id of that form is ever asked about
	require.Equal(t, "PB004", a.code(t, "SELECT polar_bridge.living(ARRAY ['1'])"))
}

// Whoever makes the schema first could have the administrator's rights by a trigger on
// the outbox.
func TestOutboxSQLRefusesWhatBelongsToSomebodyElse(t *testing.T) {
	t.Parallel()
	for name, made := range map[string]string{
		"the schema": "CREATE SCHEMA polar_bridge AUTHORIZATION anon",
		"the outbox": "CREATE SCHEMA polar_bridge; CREATE TABLE polar_bridge.outbox (id uuid, user_id text, deleted_at timestamptz); ALTER TABLE polar_bridge.outbox OWNER TO anon",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := open(t, tables(authdatabase.Hanko))
			a.role(t, "anon")
			a.run(t, made)
			text, err := authdatabase.Installation{Users: parse(t, "hanko", "")}.InstallSQL()
			require.NoError(t, err)
			require.ErrorContains(t, a.try(t, text), "belongs to another role")
		})
	}
}

func TestOutboxRemoveRefusesUnreadRows(t *testing.T) {
	t.Parallel()
	a := open(t, tables(authdatabase.AuthJS))
	a.install(t, authdatabase.Installation{Users: parse(t, "authjs", "")})
	a.run(t, "INSERT INTO public.users VALUES (1); DELETE FROM public.users")
	text, err := authdatabase.RemoveSQL()
	require.NoError(t, err)
	require.ErrorContains(t, a.try(t, text), "has rows")
}

func TestEveryOtherRoleIsRefused(t *testing.T) {
	t.Parallel()
	const insufficientPrivilege = "42501"
	users := parse(t, "supabase", "")
	a := open(t, tables(authdatabase.Supabase))
	// What PostgREST's roles get by default, here in every schema.
	a.role(t, "anon")
	a.run(t, `ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO anon WITH GRANT OPTION; ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO anon;
		ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO anon; ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO anon; GRANT USAGE ON SCHEMA auth TO anon;
		GRANT ALL ON auth.users TO anon`)
	a.install(t, authdatabase.Installation{Users: users, Soft: true})
	a.run(t, "INSERT INTO auth.users VALUES ('"+ids(users.Type)[0]+"')")
	t.Cleanup(func() {
		_, err := a.ExecContext(context.WithoutCancel(t.Context()), "DROP OWNED BY anon")
		require.NoError(t, err)
	})
	statements := []string{
		"SELECT * FROM polar_bridge.outbox", "INSERT INTO polar_bridge.outbox (user_id) VALUES ('victim')", "UPDATE polar_bridge.outbox SET user_id = 'victim'",
		"DELETE FROM polar_bridge.outbox", "TRUNCATE polar_bridge.outbox", "DROP TABLE polar_bridge.outbox", "ALTER TABLE polar_bridge.outbox ADD x int",
		"CREATE TABLE polar_bridge.other (id int)", "CREATE FUNCTION polar_bridge.living(text) RETURNS text LANGUAGE sql AS 'SELECT NULL'",
		"CREATE TRIGGER mine BEFORE INSERT ON polar_bridge.outbox EXECUTE FUNCTION polar_bridge.user_deleted()",
		"DROP FUNCTION polar_bridge.user_deleted() CASCADE", "ALTER FUNCTION polar_bridge.living(text[]) OWNER TO anon", "GRANT SELECT ON polar_bridge.outbox TO PUBLIC",
	}
	functions := []string{"SELECT * FROM polar_bridge.take(1)", "SELECT polar_bridge.done('{}')", "SELECT * FROM polar_bridge.living('{}')"}
	a.as(t, "anon", func() {
		for _, statement := range append(statements, functions...) {
			require.Equal(t, insufficientPrivilege, a.code(t, statement), statement)
		}
		a.run(t, "DELETE FROM auth.users") // whoever may do that needs no right to the outbox
	})
	a.as(t, "polar_bridge", func() {
		for _, statement := range append(statements, "SELECT * FROM auth.users") {
			require.Equal(t, insufficientPrivilege, a.code(t, statement), statement)
		}
		require.Equal(t, []string{ids(users.Type)[0]}, a.texts(t, "SELECT user_id FROM polar_bridge.take(1)"))
	})
	require.Equal(t, []string{ids(users.Type)[0]}, a.outbox(t))
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"", "users", "users.id", "a.b.c.d", "a.b.", ".b.c", `a.b."c`, `a.b.c"`, `a."".c`, "a.b.c::text;", "a.b.c::UUID", "a b.c.d", "a.b.c$polar_bridge$", `a.b."c$polar_bridge$"`, "a.b.\"c\n\""} {
		t.Run("refuses "+wrong, func(t *testing.T) {
			t.Parallel()
			_, _, err := authdatabase.Parse("", wrong)
			require.Error(t, err)
		})
	}
	t.Run("folds and unquotes as SQL does", func(t *testing.T) {
		t.Parallel()
		users := parse(t, "better-auth", `Auth."User"."id ""x"""::uuid`)
		require.Equal(t, [4]string{"auth", "User", `id "x"`, "uuid"}, [4]string{users.Schema, users.Table, users.Column, string(users.Type)})
		require.Equal(t, "better-auth", users.Provider)
		require.Equal(t, authdatabase.Other, parse(t, "", "a.b.c").Provider)
	})
	t.Run("leaves out ids that are kept elsewhere", func(t *testing.T) {
		t.Parallel()
		owns := parse(t, "keycloak", "").OwnsID()
		require.True(t, owns("0b9f8a3e-1111-4c3a-9d9a-6a5f2f1c7a55"))
		require.False(t, owns("f:0b9f8a3e-1111-4c3a-9d9a-6a5f2f1c7a55:ada"))
	})
	for _, wrong := range []string{"keycloak/", "keycloak/a/b", "keycloak/a b", "keycloak/$polar_bridge$", "supabase/x", "/x", "zitadel/x"} {
		t.Run("refuses the tenant of "+wrong, func(t *testing.T) {
			t.Parallel()
			_, inColumn, err := authdatabase.Parse(wrong, "a.b.c")
			require.Error(t, err)
			require.False(t, inColumn)
		})
	}
	t.Run("keeps the provider's name beside a tenant", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "keycloak", parse(t, "keycloak/shop", "").Provider)
	})
	t.Run("refuses an auth system that it does not know", func(t *testing.T) {
		t.Parallel()
		_, _, err := authdatabase.Parse("zitadel", "")
		require.ErrorContains(t, err, "better-auth")
	})
}
