package config

import (
	"cmp"
	"iter"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// Config is every setting. Its parts can be embedded in a command alone, when
// that command needs no more.
type Config struct {
	Polar Polar `embed:"" group:"Polar"`
	// Providers point to the settings of the identity providers, a struct each.
	// They are the caller's, who also loads them: this package knows none.
	Providers kong.Plugins `embed:"" group:"Identity providers"`

	Gateway      Gateway      `embed:"" group:"Webhook gateway"`
	Directory    Directory    `embed:"" group:"Identity providers' APIs"`
	AuthDatabase AuthDatabase `embed:"" group:"Auth database"`

	Work     Work     `embed:"" group:"Deletions"`
	Guards   Guards   `embed:"" group:"Guards"`
	Database Database `embed:"" group:"Database"`
	HTTP     HTTP     `embed:"" group:"HTTP"`
	Notify   Notify   `embed:"" group:"Notifications"`
	Log      Log      `embed:"" group:"Logs"`
}

// Polar says how Polar is called.
type Polar struct {
	// AccessToken is the organization access token.
	AccessToken *SecretSource `kong:"-" secret:"POLAR_ACCESS_TOKEN" help:"Organization access token of Polar with the scope customers:write. Required by serve."`
	// Server is production or sandbox.
	Server string `name:"polar-server" env:"POLAR_SERVER" type:"setting" default:"production" placeholder:"NAME" help:"Polar's environment: production or sandbox."`
	// BaseURL overrides Server; see Endpoint.
	BaseURL string `name:"polar-base-url" env:"POLAR_BASE_URL" type:"setting" placeholder:"URL" help:"Another address of Polar's API, for tests and proxies: https, or http on loopback."`
	// AnonymizeChoice is nil until the operator has chosen; see Anonymize.
	AnonymizeChoice *bool `name:"polar-anonymize" env:"POLAR_ANONYMIZE" type:"setting" help:"Also erase name and e-mail at Polar (true or false). A plain deletion cannot be upgraded later."`
	// RateLimit is requests per minute over all replicas, 0 for unlimited.
	RateLimit int `name:"polar-rate-limit" env:"POLAR_RATE_LIMIT" type:"setting" default:"60" placeholder:"N" help:"Requests per minute to Polar, over all replicas together. 0 is unlimited."`
	// Concurrency is requests in flight per replica.
	Concurrency int `name:"polar-concurrency" env:"POLAR_CONCURRENCY" type:"setting" default:"4" placeholder:"N" help:"Requests to Polar in flight per replica, 1 to 100."`
	// MetadataKey is where customers without an external id have the user's id, "" for
	// nowhere.
	MetadataKey string `name:"polar-metadata-key" env:"POLAR_METADATA_KEY" type:"setting" placeholder:"KEY" help:"For shops whose customers have no external id: the key of the metadata that has the user's id. Whoever is found by it is held, never deleted unattended. Three more requests to Polar for each user who has no customer."`
	// Timeout bounds one request.
	Timeout time.Duration `name:"polar-timeout" env:"POLAR_TIMEOUT" type:"setting" default:"5s" placeholder:"DURATION" help:"How long one request to Polar may take, at most 12s."`

	// Anonymize says whether to send anonymize=true. Load sets it.
	Anonymize bool `kong:"-"`
	// AnonymizeSet says whether the operator has chosen. Load sets it.
	AnonymizeSet bool `kong:"-"`
}

// Work says what is done with deletions.
type Work struct {
	// ExternalIDPattern limits the ids; nil for all.
	ExternalIDPattern *regexp.Regexp `name:"external-id-pattern" env:"EXTERNAL_ID_PATTERN" type:"setting" placeholder:"REGEXP" help:"Ignore ids in which this RE2 expression matches nowhere; anchor it with ^ and $ to match whole ids."`
	// Retention is how long done and cancelled deletions are kept.
	Retention time.Duration `name:"retention" env:"RETENTION" type:"setting" default:"720h" placeholder:"DURATION" help:"How long done and cancelled deletions are kept: from 72h to 3653d, ten years."`
	// DryRun leaves out the DELETE.
	DryRun bool `name:"dry-run" env:"DRY_RUN" type:"setting" default:"false" help:"Do everything but the deletion at Polar."`
}

// Database says where everything durable lives.
type Database struct {
	// URL is sqlite:PATH or postgres://….
	URL *SecretSource `kong:"-" secret:"DATABASE_URL" default:"sqlite:polar-bridge.db" help:"Where everything durable lives: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME."`
	// Schema holds all tables on Postgres.
	Schema string `name:"database-schema" env:"DATABASE_SCHEMA" type:"setting" default:"polar_bridge" placeholder:"NAME" help:"PostgreSQL: the schema of all tables, which must be polar-bridge's alone."`
	// AutoMigrate brings the tables up to date at start.
	AutoMigrate bool `name:"auto-migrate" env:"AUTO_MIGRATE" type:"setting" default:"true" negatable:"" help:"Bring the tables up to date at start."`
}

// Address returns URL, or a file in the working directory when it is not set.
func (d *Database) Address() string { return cmp.Or(d.URL.Value(), "sqlite:polar-bridge.db") }

// Notify says who is told when somebody must look.
type Notify struct {
	// URL takes Slack-compatible messages. It is a secret: who knows it can post.
	URL *SecretSource `kong:"-" secret:"NOTIFY_URL" help:"Where messages for people go: the address of a Slack-compatible webhook. https, or http on loopback."`
}

// Gateway says what stands between the identity providers and this server. Which
// gateways there are is the caller's to know.
type Gateway struct {
	// Name is whose signatures count.
	Name string `name:"webhook-gateway" env:"WEBHOOK_GATEWAY" type:"setting" placeholder:"NAME" help:"The gateway that keeps webhooks and repeats them: hookdeck. With its signature too, a provider's signature may be up to 7 days old."`
	// Secret is what it signs with.
	Secret *SecretSource `kong:"-" secret:"WEBHOOK_GATEWAY_SECRET" help:"The signing secret of WEBHOOK_GATEWAY, at least 16 characters; several, one a line, all count."`
}

// Directory says what the identity providers are asked. How each of them is asked
// is said by its own settings.
type Directory struct {
	// ConfirmChoice is nil for the default; see Confirm.
	ConfirmChoice *bool `name:"confirm" env:"CONFIRM" type:"setting" help:"Ask the identity provider whether the user is gone before a customer is deleted; on as soon as its credentials are set."`
	// ReconcileInterval is how often serve looks for missed deletions, 0 for never.
	ReconcileInterval time.Duration `name:"reconcile-interval" env:"RECONCILE_INTERVAL" type:"setting" default:"0s" placeholder:"DURATION" help:"How often customers whose user is gone are looked for and reported, 1h to 720h, by one server at a time. 0s is never."`
}

// Confirm says whether deletions are confirmed where credentials are set.
func (d *Directory) Confirm() bool { return d.ConfirmChoice == nil || *d.ConfirmChoice }

// AuthDatabase says where an auth system keeps its users that tells of no deletion by
// itself. Which schemas there are is the caller's to know.
type AuthDatabase struct {
	// URL is postgres://….
	URL *SecretSource `kong:"-" secret:"AUTH_DATABASE_URL" help:"The auth system's own database, the primary: postgres://polar_bridge:PASSWORD@HOST/NAME, as the role that polar-bridge outbox sql makes."`
	// Schema is whose tables are there.
	Schema string `name:"auth-database-schema" env:"AUTH_DATABASE_SCHEMA" type:"setting" placeholder:"NAME" help:"Whose tables are in the auth database: better-auth, authjs, supabase, logto, keycloak, kratos or hanko; keycloak/REALM-ID counts the users of one realm, and so on for the tenants of logto, kratos and hanko."`
	// Users is where the users are, when it is another table than the schema's own.
	Users string `name:"auth-database-users" env:"AUTH_DATABASE_USERS" type:"setting" placeholder:"COLUMN" help:"Where the users' ids are, instead of or beside AUTH_DATABASE_SCHEMA: schema.table.column with SQL's quoting, and ::uuid or ::bigint behind it unless they are text."`
	// Outbox says whether deletions are taken from there.
	Outbox bool `name:"auth-database-outbox" env:"AUTH_DATABASE_OUTBOX" type:"setting" default:"false" help:"Take deletions from polar_bridge.outbox in the auth database; polar-bridge outbox sql prints what makes it."`
}

// HTTP says where the program listens.
type HTTP struct {
	// ListenAddr faces the internet.
	ListenAddr string `name:"listen-addr" env:"LISTEN_ADDR" type:"setting" default:":8080" placeholder:"ADDR" help:"Where webhooks arrive. Without it, the port that PORT names."`
	// AdminAddr is for operators and Prometheus.
	AdminAddr string `name:"admin-addr" env:"ADMIN_ADDR" type:"setting" default:"127.0.0.1:9090" placeholder:"ADDR" help:"Where metrics, probes and the console are."`
	// AdminPassword enables the console.
	AdminPassword *SecretSource `kong:"-" secret:"ADMIN_PASSWORD" help:"Enables the console, the pages for operators at /ui/ of ADMIN_ADDR; at least 12 characters."`
	// AdminReadOnly keeps the console from doing anything.
	AdminReadOnly bool `name:"admin-read-only" env:"ADMIN_READ_ONLY" type:"setting" default:"false" help:"The console shows everything and does nothing: for a screen on a wall."`
	// TrustedProxies may say where a request came from.
	TrustedProxies []netip.Prefix `name:"trusted-proxies" env:"TRUSTED_PROXIES" type:"setting" placeholder:"CIDR" help:"Networks or single addresses, separated by commas, whose X-Forwarded-For is believed; on ADMIN_ADDR also X-Forwarded-Proto, and who X-Forwarded-User or Remote-User says acts in the console."`
	// H2C lets webhooks come over HTTP/2 without TLS.
	H2C bool `name:"h2c" env:"H2C" type:"setting" default:"false" help:"Take HTTP/2 without TLS on LISTEN_ADDR too, from proxies that begin with it (Cloud Run end to end, meshes)."`
	// ShutdownDelay is how long readiness is red before the listeners close.
	ShutdownDelay time.Duration `name:"shutdown-delay" env:"SHUTDOWN_DELAY" type:"setting" default:"0s" placeholder:"DURATION" help:"How long readiness is red before the listeners close, at most 60s."`
}

// Log says what the log looks like.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `name:"log-level" env:"LOG_LEVEL" type:"setting" default:"info" placeholder:"LEVEL" help:"debug, info, warn or error."`
	// Format is json, gcp or console.
	Format string `name:"log-format" env:"LOG_FORMAT" type:"setting" default:"json" placeholder:"FORMAT" help:"json for machines, gcp for Google Cloud (json with severity beside level), console for people. Where it is not set, a terminal gets console."`
	// Colors marks levels by colors, in the format console.
	Colors bool `kong:"-"`
	// ExternalID is plain, digest or none.
	ExternalID string `name:"log-external-id" env:"LOG_EXTERNAL_ID" type:"setting" default:"plain" placeholder:"FORM" help:"How ids stand in the log: plain, digest or none."`
}

// Endpoint returns the address of Polar's API without a slash at its end: BaseURL,
// or Server's. Call it after Load has found nothing wrong with either.
func (p *Polar) Endpoint() *url.URL {
	address := "https://api.polar.sh"
	if p.Server == serverSandbox {
		address = "https://sandbox-api.polar.sh"
	}
	endpoint, err := url.Parse(strings.TrimRight(cmp.Or(p.BaseURL, address), "/"))
	if err != nil {
		return &url.URL{} // which Load refuses
	}
	return endpoint
}

// Secrets returns all secrets, set or not. Call it after Load.
func (c *Config) Secrets() []*SecretSource {
	var all []*SecretSource
	for _, value := range settings(reflect.ValueOf(c)) {
		if source, ok := reflect.TypeAssert[*SecretSource](value); ok && source != nil {
			all = append(all, source)
		}
	}
	return all
}

// settings yields every setting of a section, or of what sections are embedded in,
// with the field that holds it.
func settings(section reflect.Value) iter.Seq2[reflect.StructField, reflect.Value] {
	return func(yield func(reflect.StructField, reflect.Value) bool) { eachSetting(section, yield) }
}

func eachSetting(section reflect.Value, yield func(reflect.StructField, reflect.Value) bool) (more bool) {
	if plugins, ok := reflect.TypeAssert[kong.Plugins](section); ok {
		for _, plugin := range plugins {
			if !eachSetting(reflect.ValueOf(plugin), yield) {
				return false
			}
		}
		return true
	}
	for field, value := range reflect.Indirect(section).Fields() {
		if _, embedded := field.Tag.Lookup("embed"); embedded {
			more = eachSetting(value, yield)
		} else {
			more = Name(field) == "" || yield(field, value)
		}
		if !more {
			return false
		}
	}
	return true
}

// Name returns the name of the setting that a field holds, "" for none.
func Name(field reflect.StructField) string {
	if secret := field.Tag.Get("secret"); secret != "" {
		return secret
	}
	return field.Tag.Get("env")
}
