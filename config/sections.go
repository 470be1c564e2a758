package config

import (
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
	maxShutdownDelay = time.Minute
)

// defaultDatabaseURL is a file in the working directory.
const defaultDatabaseURL = "sqlite:polar-bridge.db"

// ForServe is c with what serve cannot do without: Polar's token and at least
// one identity provider.
func ForServe(c *Config) Section { return serve{c} }

type serve struct{ config *Config }

func (s serve) load(l *Loader) {
	s.config.load(l)
	l.require(s.config.Polar.AccessToken.IsSet(), "POLAR_ACCESS_TOKEN",
		"is required; create an organization access token with the scope customers:write at Polar")
	s.config.requireOne(l)
}

func (c *Config) load(l *Loader) {
	for _, section := range []Section{&c.Polar, &c.Identity, &c.Directory, &c.Work, &c.Guards, &c.Database, &c.HTTP, &c.Notify, &c.Log} {
		section.load(l)
	}
	confirmed := c.Directory.Confirm && c.Directory.AsksAuth0()
	l.require(c.Auth0.LogsUnconfirmed || confirmed || !c.Auth0.LogsToken.IsSet(), "AUTH0_LOGS_TOKEN",
		"needs AUTH0_LOGS_UNCONFIRMED=true, because these deletions are not confirmed at Auth0")
	l.require(c.Directory.ReconcileInterval == 0 || len(c.Reconciled()) > 0, "RECONCILE_INTERVAL",
		"needs credentials and the provider's own ids: CLERK_SECRET_KEY and CLERK_ID_FIELD=id, or Auth0's and AUTH0_ID_FIELD="+auth0UserID)
}

func (p *Polar) load(l *Loader) {
	p.AccessToken = l.secret("POLAR_ACCESS_TOKEN", one(checkPolarToken))
	p.AnonymizeSet = p.AnonymizeChoice != nil
	p.Anonymize = p.AnonymizeSet && *p.AnonymizeChoice
	l.oneOf("POLAR_SERVER", p.Server, serverProduction, serverSandbox)
	if p.BaseURL != "" {
		checkBaseURL(l, p.BaseURL)
	}
	l.require(p.RateLimit >= 0, "POLAR_RATE_LIMIT", "must be 0 (unlimited) or more")
	l.require(p.Concurrency >= 1 && p.Concurrency <= maxConcurrency, "POLAR_CONCURRENCY", "must lie between 1 and 100")
	l.require(p.Timeout > 0 && p.Timeout <= maxTimeout, "POLAR_TIMEOUT", "must be more than 0s and at most 12s")
}

func (w *Work) load(l *Loader) {
	l.require(w.Retention >= minRetention, "RETENTION", "must be at least 72h")
}

func (d *Database) load(l *Loader) {
	text, read := l.lookup("DATABASE_URL")
	d.set = text != "" || read != nil
	if !d.set {
		d.URL = defaultDatabaseURL
		return
	}
	if read != nil {
		var err error
		if text, err = readText(read); err != nil {
			l.problem("DATABASE_URL", err.Error())
			return
		}
		l.require(!strings.ContainsAny(text, "\r\n"), "DATABASE_URL", errSeveral.Error())
	}
	d.URL = Secret(strings.TrimSpace(text))
	l.require(databaseURL(d.URL.Reveal()), "DATABASE_URL", "must be sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME")
}

func (h *HTTP) load(l *Loader) {
	h.AdminPassword = l.secret("ADMIN_PASSWORD", one(checkPassword))
	const predicate = "must be HOST:PORT or :PORT with a port up to 65535"
	l.require(address(h.ListenAddr), "LISTEN_ADDR", predicate)
	l.require(address(h.AdminAddr), "ADMIN_ADDR", predicate)
	l.require(!collide(h.ListenAddr, h.AdminAddr), "ADMIN_ADDR", "must have another port than LISTEN_ADDR")
	l.require(h.ShutdownDelay >= 0 && h.ShutdownDelay <= maxShutdownDelay, "SHUTDOWN_DELAY", "must lie between 0s and 60s")
}

func (g *Log) load(l *Loader) {
	l.oneOf("LOG_LEVEL", g.Level, "debug", "info", "warn", "error")
	l.oneOf("LOG_FORMAT", g.Format, "json", "console")
	l.oneOf("LOG_EXTERNAL_ID", g.ExternalID, "plain", "digest", "none")
}
