package config

import (
	"cmp"
	"strings"
	"time"
)

// The servers of Polar.
const (
	serverProduction = "production"
	serverSandbox    = "sandbox"
)

// Bounds of the settings.
const (
	// maxTimeout bounds one request, because one job's calls to Polar must end
	// before the queue takes the job for stuck.
	maxTimeout     = 12 * time.Second
	maxConcurrency = 100
	// minRetention covers the retries of every identity provider: within it a
	// repeat must be recognised.
	minRetention     = 72 * time.Hour
	maxRetention     = 3653 * 24 * time.Hour // ten years
	maxShutdownDelay = time.Minute

	minReconcileInterval = time.Hour
	maxReconcileInterval = 720 * time.Hour
)

// defaultDatabaseSchema is where the tables are on Postgres.
const defaultDatabaseSchema = "polar_bridge"

// Load implements Section.
func (c *Config) Load(l *Loader) {
	for _, section := range []Section{&c.Polar, &c.Directory, &c.AuthDatabase, &c.Work, &c.Guards, &c.Database, &c.HTTP, &c.Notify, &c.Log} {
		section.Load(l)
	}
}

// Load implements Section.
func (p *Polar) Load(l *Loader) {
	p.AccessToken = l.Secret("POLAR_ACCESS_TOKEN", One(checkPolarToken))
	p.AnonymizeSet = p.AnonymizeChoice != nil
	p.Anonymize = p.AnonymizeSet && *p.AnonymizeChoice
	l.RequireOneOf("POLAR_SERVER", p.Server, serverProduction, serverSandbox)
	if p.BaseURL != "" {
		l.RequireAddress("POLAR_BASE_URL", p.BaseURL)
	}
	l.RequireValue(p.RateLimit >= 0, "POLAR_RATE_LIMIT", "must be 0 (unlimited) or more")
	l.RequireValue(p.Concurrency >= 1 && p.Concurrency <= maxConcurrency, "POLAR_CONCURRENCY", "must lie between 1 and 100")
	l.RequireValue(metadataKey(p.MetadataKey), "POLAR_METADATA_KEY",
		"must have at most 40 characters and no brackets, not begin with __ or utm_, and not be reference_id: the last two can be set by anybody in a checkout link")
	l.RequireValue(p.Timeout > 0 && p.Timeout <= maxTimeout, "POLAR_TIMEOUT", "must be more than 0s and at most 12s")
}

// Load implements Section.
func (w *Work) Load(l *Loader) {
	l.RequireValue(w.Retention >= minRetention && w.Retention <= maxRetention, "RETENTION", "must lie between 72h and 3653d")
}

// Load implements Section.
func (d *Database) Load(l *Loader) {
	if d.Schema == "" { // a command without this flag
		d.Schema = cmp.Or(l.env.Getenv("DATABASE_SCHEMA"), defaultDatabaseSchema)
	}
	l.RequireValue(schemaName(d.Schema), "DATABASE_SCHEMA",
		"must be up to 40 lower-case letters, digits and underscores, beginning with a letter, and none of PostgreSQL's own or public")
	d.URL = l.Secret("DATABASE_URL", func(text string) ([]string, error) { return One(checkDatabaseURL)(strings.TrimSpace(text)) })
	d.URL.read = nil // what is open stays open
}

// Load implements Section.
func (d *AuthDatabase) Load(l *Loader) {
	d.URL = l.Secret("AUTH_DATABASE_URL", func(text string) ([]string, error) { return One(checkPostgresURL)(strings.TrimSpace(text)) })
	d.URL.read = nil // what is open stays open
	l.Require(!d.Outbox || d.URL.IsSet() || l.HasProblem("AUTH_DATABASE_URL"), "AUTH_DATABASE_OUTBOX", "needs AUTH_DATABASE_URL")
}

// Load implements Section.
func (h *HTTP) Load(l *Loader) {
	h.AdminPassword = l.Secret("ADMIN_PASSWORD", One(checkPassword))
	const predicate = "must be HOST:PORT or :PORT with a port up to 65535"
	l.RequireValue(address(h.ListenAddr), "LISTEN_ADDR", predicate)
	l.RequireValue(address(h.AdminAddr), "ADMIN_ADDR", predicate)
	l.RequireValue(!collide(h.ListenAddr, h.AdminAddr), "ADMIN_ADDR", "must have another port than LISTEN_ADDR")
	l.RequireValue(h.ShutdownDelay >= 0 && h.ShutdownDelay <= maxShutdownDelay, "SHUTDOWN_DELAY", "must lie between 0s and 60s")
}

// Load implements Section.
func (g *Log) Load(l *Loader) {
	l.RequireOneOf("LOG_LEVEL", g.Level, "debug", "info", "warn", "error")
	l.RequireOneOf("LOG_FORMAT", g.Format, "json", "gcp", "console")
	l.RequireOneOf("LOG_EXTERNAL_ID", g.ExternalID, "plain", "digest", "none")
}

// Load implements Section.
func (d *Directory) Load(l *Loader) {
	interval := d.ReconcileInterval
	l.RequireValue(interval == 0 || interval >= minReconcileInterval && interval <= maxReconcileInterval,
		"RECONCILE_INTERVAL", "must be 0s (never), or lie between 1h and 720h")
}

// Load implements Section.
func (n *Notify) Load(l *Loader) { n.URL = l.Secret("NOTIFY_URL", One(checkNotifyURL)) }
