package authdatabase_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/authdatabase"
)

// published is an auth system with its published tables, and what it does to them. In
// its SQL, ids are written as A to F, for which valid ones are put.
type published struct {
	schema    authdatabase.Schema
	tenant    string // what stands behind the schema's name
	soft      bool
	installer string // the role that runs `outbox sql`; "" for a superuser
	role      string // the auth system's; "" for a superuser
	users     string
	deletions []string
	recorded  string // in the order of the deletions
	living    string
}

func publishedSystems() map[string]published {
	supabase := published{
		schema: authdatabase.Supabase, installer: "hosted_postgres", role: "supabase_auth_admin",
		users: `INSERT INTO auth.users (id, email, is_anonymous) VALUES ('A', 'a', false), ('B', NULL, true), ('C', 'c', false), ('D', NULL, true), ('E', 'e', false), ('F', 'f', false);
			INSERT INTO auth.identities (provider_id, user_id, identity_data, provider) SELECT id, id, '{}', 'email' FROM auth.users`,
		deletions: []string{
			`DELETE FROM auth.users AS users WHERE users.id = 'A'`,
			`DELETE FROM auth.users AS users WHERE users.id = 'B'`,
			`UPDATE auth.users SET email = 'hash', phone = 'hash', encrypted_password = NULL, deleted_at = now() WHERE id = 'C'`,
			`UPDATE auth.users SET raw_user_meta_data = '{}' WHERE id = 'C'`,
			`UPDATE auth.users SET email = 'd', is_anonymous = false WHERE id = 'D'`,
			`DELETE FROM auth.users AS users WHERE users.id = 'D'`,
			`BEGIN; DELETE FROM auth.users AS users WHERE users.id = 'E'; ROLLBACK`,
		},
		recorded: "AD", living: "CEF",
	}
	supabaseSoft := supabase
	supabaseSoft.soft, supabaseSoft.recorded, supabaseSoft.living = true, "ACD", "EF"
	return map[string]published{
		"Supabase on a hosted project":                supabase,
		"Supabase on a hosted project, soft deletion": supabaseSoft,
		"Auth.js": {
			schema: authdatabase.AuthJS,
			users:  `INSERT INTO users (id) VALUES ('A'), ('B'), ('C')`,
			deletions: []string{
				`DELETE FROM users WHERE id = 'A'; DELETE FROM sessions WHERE "userId" = 'A'; DELETE FROM accounts WHERE "userId" = 'A'`,
				`UPDATE users SET email = 'other' WHERE id = 'B'`,
			},
			recorded: "A", living: "BC",
		},
		"Logto, as its tenant's role": {
			schema: authdatabase.Logto, role: "logto_tenant_default",
			users: `INSERT INTO tenants VALUES ('default', 'logto_tenant_default'), ('admin', 'logto_tenant_admin');
				INSERT INTO users (tenant_id, id) VALUES ('default', 'A'), ('default', 'B'), ('admin', 'C')`,
			deletions: []string{
				`DELETE FROM users WHERE id = 'A'`,
				`DELETE FROM users WHERE id = 'C'`, // of a tenant that the role does not see
				`UPDATE users SET is_suspended = true WHERE id = 'B'`,
			},
			recorded: "A", living: "BC",
		},
		"Logto, a whole tenant": {
			schema: authdatabase.Logto,
			users: `INSERT INTO tenants VALUES ('default', 'logto_tenant_default'), ('admin', 'logto_tenant_admin');
				INSERT INTO users (tenant_id, id) VALUES ('default', 'A'), ('admin', 'B')`,
			deletions: []string{`DELETE FROM tenants WHERE id = 'default'`},
			recorded:  "A", living: "B",
		},
		"Keycloak": {
			schema: authdatabase.Keycloak,
			users: `INSERT INTO user_entity (id, realm_id, username, federation_link, service_account_client_link) VALUES ('A', 'shop', 'a', NULL, NULL),
				('B', 'shop', 'b', 'ldap', NULL), ('C', 'shop', 'service-account-c', NULL, 'client'), ('D', 'shop', 'd', 'ldap', NULL), ('E', 'shop', 'e', NULL, NULL), ('F', 'staff', 'e', NULL, NULL)`,
			deletions: []string{
				`DELETE FROM user_entity WHERE id = 'A'`,
				`UPDATE user_entity SET federation_link = NULL WHERE realm_id = 'shop' AND id = 'D'`, // unlinked: a user of its own from now on
				`DELETE FROM user_entity WHERE realm_id = 'shop' AND federation_link = 'ldap'`,       // "Remove imported"
				`DELETE FROM user_entity WHERE id = 'C'`,
				`DELETE FROM user_entity WHERE id = 'D'`,
				`DELETE FROM user_entity WHERE realm_id = 'shop'`,
			},
			recorded: "ADE", living: "F",
		},
		"Keycloak, one realm": {
			schema: authdatabase.Keycloak, tenant: "/shop",
			users:     `INSERT INTO user_entity (id, realm_id) VALUES ('A', 'shop'), ('B', 'staff'), ('C', NULL), ('D', 'shop'), ('E', 'staff')`,
			deletions: []string{`DELETE FROM user_entity WHERE id IN ('A', 'B', 'C')`},
			recorded:  "A", living: "DE",
		},
		"Kratos, one network": {
			schema: authdatabase.Kratos, tenant: "/0000000f-1111-4c3a-9d9a-6a5f2f1c7a55",
			users: `INSERT INTO networks VALUES ('E', now(), now()), ('F', now(), now());
				INSERT INTO identities (id, nid, schema_id, traits, created_at, updated_at) VALUES ('A', 'E', 's', '{}', now(), now()), ('B', 'F', 's', '{}', now(), now()), ('C', 'F', 's', '{}', now(), now())`,
			deletions: []string{`DELETE FROM identities WHERE id IN ('A', 'B')`},
			recorded:  "B", living: "C",
		},
		"Kratos": {
			schema: authdatabase.Kratos,
			users: `INSERT INTO networks VALUES ('F', now(), now());
				INSERT INTO identities (id, nid, schema_id, traits, created_at, updated_at) SELECT id, 'F', 'default', '{}', now(), now() FROM unnest('{A,B,C}'::uuid[]) AS id`,
			deletions: []string{
				`DELETE FROM identities WHERE id = 'A' AND nid = 'F'`,
				`UPDATE identities SET state = 'inactive' WHERE id = 'B'`,
				`DELETE FROM identities WHERE id = 'C' AND nid = 'A'`,
			},
			recorded: "A", living: "BC",
		},
		"Hanko": {
			schema: authdatabase.Hanko,
			users: `INSERT INTO tenants VALUES ('00000000-0000-0000-0000-000000000001'), ('F');
				INSERT INTO users (id, tenant_id) VALUES ('A', DEFAULT), ('B', DEFAULT), ('C', 'F');
				INSERT INTO emails VALUES ('A', 'A', 'a'); INSERT INTO primary_emails VALUES ('A', 'A', 'A')`,
			deletions: []string{
				`BEGIN; DELETE FROM primary_emails WHERE id = 'A'; DELETE FROM users WHERE id = 'A'; COMMIT`,
				`DELETE FROM tenants WHERE id = 'F'`,
			},
			recorded: "AC", living: "B",
		},
	}
}

func TestPublishedTables(t *testing.T) {
	t.Parallel()
	for name, system := range publishedSystems() {
		t.Run("deletions are recorded, nothing else is, and who lives is known: "+name, func(t *testing.T) {
			t.Parallel()
			tables, err := os.ReadFile(filepath.Join("testdata", "tables", string(system.schema)+".sql"))
			require.NoError(t, err)
			a := open(t, string(tables))
			users := parse(t, string(system.schema)+system.tenant, "")
			a.run(t, ids6(users.Type).Replace(system.users))
			a.asOrAdministrator(t, system.installer, func() {
				a.install(t, authdatabase.Installation{Users: users, Soft: system.soft})
				a.install(t, authdatabase.Installation{Users: users, Soft: system.soft}) // again
			})
			a.asOrAdministrator(t, system.role, func() {
				for _, deletion := range system.deletions {
					a.run(t, ids6(users.Type).Replace(deletion))
				}
			})
			require.Equal(t, split(users.Type, system.recorded), a.outbox(t))
			a.as(t, "polar_bridge", func() {
				require.Equal(t, split(users.Type, system.living), a.texts(t, "SELECT living FROM polar_bridge.living($1) ORDER BY 1", split(users.Type, "ABCDEF")))
				a.run(t, "SELECT polar_bridge.done(ARRAY (SELECT id FROM polar_bridge.take(10)))")
			})
			remove, err := authdatabase.RemoveSQL()
			require.NoError(t, err)
			a.asOrAdministrator(t, system.installer, func() { a.run(t, strings.Split(remove, "DROP ROLE")[0]) })
			a.run(t, "DELETE FROM "+users.From()) // nothing is in its way
		})
	}
}

func (a *auth) asOrAdministrator(t *testing.T, role string, do func()) {
	t.Helper()
	if role == "" {
		do()
		return
	}
	a.as(t, role, do)
}

// ids6 puts ids of the type for the quoted letters.
func ids6(t authdatabase.IDType) *strings.Replacer {
	var pairs []string
	for letter := range strings.SplitSeq("ABCDEF", "") {
		id := split(t, letter)[0]
		pairs = append(pairs, "'"+letter+"'", "'"+id+"'", "{"+letter, "{"+id, ","+letter, ","+id)
	}
	return strings.NewReplacer(pairs...)
}

// split returns ids of the type for the letters, in their order.
func split(t authdatabase.IDType, letters string) (all []string) {
	for _, letter := range letters {
		id := "id" + string(letter)
		switch t {
		case authdatabase.UUID:
			id = strings.Repeat("0", 7) + strings.ToLower(string(letter)) + "-1111-4c3a-9d9a-6a5f2f1c7a55"
		case authdatabase.BigInt:
			id = string('1' + letter - 'A')
		case authdatabase.Text:
		}
		all = append(all, id)
	}
	return all
}
