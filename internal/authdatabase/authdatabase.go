// Package authdatabase knows the database of an auth system that tells of no deletion by
// itself: which table has its users, and the schema polar_bridge that this program asks
// an administrator to make there: an outbox that a trigger fills, and functions for a
// role that may do nothing else.
//
// It must not know deletions, nor who reads the outbox or asks about users.
package authdatabase

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Schema is an auth system whose tables are known. The set is closed.
type Schema string

// The auth systems.
const (
	BetterAuth Schema = "better-auth"
	AuthJS     Schema = "authjs"
	Supabase   Schema = "supabase"
	Logto      Schema = "logto"
	Keycloak   Schema = "keycloak"
	Kratos     Schema = "kratos"
	Hanko      Schema = "hanko"
)

// Other is the provider of deletions from a table that only the operator's settings name.
const Other = "auth-database"

// Schemas lists every Schema.
func Schemas() []Schema {
	return []Schema{BetterAuth, AuthJS, Supabase, Logto, Keycloak, Kratos, Hanko}
}

// Providers lists what Users.Provider may be.
func Providers() []string {
	var names []string
	for _, s := range Schemas() {
		names = append(names, string(s))
	}
	return append(names, Other)
}

// IDType is the type in which ids are compared, in PostgreSQL's words. The set is closed.
type IDType string

// The types of ids.
const (
	Text   IDType = "text" // varchar too
	UUID   IDType = "uuid"
	BigInt IDType = "bigint" // all integers
)

// Form is the regular expression that ids of the type match, the same to Go and to
// PostgreSQL. It is no wider than what a cast to the type takes.
func (t IDType) Form() string {
	switch t {
	case UUID:
		return `^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$`
	case BigInt:
		return `^(0|[1-9][0-9]{0,17})$`
	case Text:
	}
	return "^.+$"
}

// Users is where an auth system keeps its users.
type Users struct {
	Provider              string // what their deletions are said to come from
	Schema, Table, Column string // the column of the id
	Type                  IDType
	// Ignored are the rows whose deletion is no user's.
	Ignored []Condition
	// Elsewhere begins the ids of users who are kept elsewhere; "" for none.
	Elsewhere string
	// SoftDeleted is the column of the time since which a user who is kept counts as
	// deleted; "" for none.
	SoftDeleted string
	// Tenant is what TenantColumn of those who count says; "" if everybody does.
	TenantColumn, Tenant string
}

// Condition is a column that tells rows apart.
type Condition struct {
	Column  string
	Boolean bool   // it must be true; otherwise it must not be null
	Why     string // for whoever reviews the SQL
}

// users returns where each auth system keeps its users by default.
func (s Schema) users() Users {
	switch s {
	case BetterAuth: // https://www.better-auth.com/docs/concepts/database, docs/plugins/anonymous
		return Users{Schema: "public", Table: "user", Column: "id", Type: Text, Ignored: []Condition{{
			"isAnonymous", true,
			"An anonymous user's row is deleted when they sign up.",
		}}}
	case AuthJS: // https://authjs.dev/getting-started/adapters/pg
		return Users{Schema: "public", Table: "users", Column: "id", Type: BigInt}
	case Supabase: // https://github.com/supabase/auth (migrations)
		return Users{Schema: "auth", Table: "users", Column: "id", Type: UUID, SoftDeleted: "deleted_at", Ignored: []Condition{{
			"is_anonymous", true,
			"An anonymous user has no account that could be closed.",
		}}}
	case Logto: // https://github.com/logto-io/logto (packages/schemas/tables/users.sql)
		return Users{Schema: "public", Table: "users", Column: "id", Type: Text}
	case Keycloak: // https://github.com/keycloak/keycloak (model/jpa, UserEntity; StorageId)
		return Users{Schema: "public", Table: "user_entity", Column: "id", Type: Text, Elsewhere: "f:", Ignored: []Condition{
			{"federation_link", false, "A federated user's row is a copy, which is deleted when it is imported again."},
			{"service_account_client_link", false, "A service account belongs to a client."},
		}}
	case Kratos: // https://github.com/ory/kratos (persistence/sql/migrations)
		return Users{Schema: "public", Table: "identities", Column: "id", Type: UUID}
	case Hanko: // https://github.com/teamhanko/hanko (backend/persistence/migrations)
		return Users{Schema: "public", Table: "users", Column: "id", Type: UUID}
	}
	return Users{SoftDeleted: "deleted_at"}
}

// tenant returns the column that says whose a user is; "" for none.
func (s Schema) tenant() string {
	switch s {
	case Keycloak:
		return "realm_id"
	case Logto, Hanko:
		return "tenant_id"
	case Kratos:
		return "nid"
	case BetterAuth, AuthJS, Supabase:
	}
	return ""
}

// Why settings name no table. The texts follow the setting's name.
var (
	errSchema = fmt.Errorf("must be one of %s", strings.Join(Providers()[:len(Schemas())], ", "))
	errColumn = errors.New(`must be SCHEMA.TABLE.COLUMN with SQL's quoting, such as public."user".id, of ids that are text; behind it ::uuid or ::bigint for others`)
	errTenant = errors.New("may name a realm or tenant behind a slash only after keycloak, logto, kratos or hanko, by an id of at most 36 letters, digits, '_', '.' and '-'")
	errNone   = errors.New("must name the auth system, unless the table with its users is named")
)

// Parse returns the users that the settings AUTH_DATABASE_SCHEMA and AUTH_DATABASE_USERS
// name. The second one, which is "" for the schema's own table, says where they are
// instead. The first one may say, behind a slash, whose users count of several tenants'.
// Of an error that follows the name of the first one, inColumn is false.
func Parse(schema, column string) (u Users, inColumn bool, err error) {
	schema, tenant, ofTenant := strings.Cut(schema, "/")
	switch {
	case schema == "" && column == "":
		return Users{}, false, errNone
	case schema != "" && !slices.Contains(Schemas(), Schema(schema)):
		return Users{}, false, errSchema
	case ofTenant && (Schema(schema).tenant() == "" || !regexp.MustCompile(`^[A-Za-z0-9_.-]{1,36}$`).MatchString(tenant)):
		return Users{}, false, errTenant
	}
	u = Schema(schema).users()
	u.TenantColumn, u.Tenant = Schema(schema).tenant(), tenant
	u.Provider = cmp.Or(schema, Other)
	if column == "" {
		return u, false, nil
	}
	name, idType, typed := strings.Cut(column, "::")
	u.Type = Text
	if typed {
		u.Type = IDType(idType)
	}
	parts, ok := identifiers(name)
	const parts3 = 3
	if !ok || len(parts) != parts3 || !slices.Contains([]IDType{Text, UUID, BigInt}, u.Type) {
		return Users{}, true, errColumn
	}
	u.Schema, u.Table, u.Column = parts[0], parts[1], parts[2]
	return u, true, nil
}

// identifiers reads names between dots: a plain one is folded to lower case, as SQL
// does, and "" in quotes stands for one.
func identifiers(text string) (names []string, ok bool) {
	form := regexp.MustCompile(`^(?:([A-Za-z_][A-Za-z0-9_]*)|"((?:[^"\x00-\x1f$]|"")+)")(?:\.|$)`)
	const longest = 63 // PostgreSQL cuts what is longer
	for rest := text; rest != ""; {
		match := form.FindStringSubmatch(rest)
		if match == nil || strings.HasSuffix(match[0], ".") && len(match[0]) == len(rest) {
			return nil, false
		}
		name := strings.ToLower(match[1]) + strings.ReplaceAll(match[2], `""`, `"`)
		if len(name) > longest {
			return nil, false
		}
		names, rest = append(names, name), rest[len(match[0]):]
	}
	return names, true
}

// OwnsID says whether a text can be the id of one of the users.
func (u Users) OwnsID() func(id string) bool {
	form := regexp.MustCompile(u.Type.Form())
	return func(id string) bool {
		return form.MatchString(id) && (u.Elsewhere == "" || !strings.HasPrefix(id, u.Elsewhere))
	}
}

// From is the table as it is written in SQL.
func (u Users) From() string { return pgx.Identifier{u.Schema, u.Table}.Sanitize() }

// ID is the id's column as it is written in SQL.
func (u Users) ID() string { return pgx.Identifier{u.Column}.Sanitize() }
