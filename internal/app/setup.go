package app

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
	"github.com/polar-bridge/polar-bridge/internal/settings"
	"github.com/polar-bridge/polar-bridge/metrics"
	"github.com/polar-bridge/polar-bridge/polar"
)

// setup is one straight line of steps on purpose: each needs those before it, and
// close undoes those that were made.
func (a *App) setup(ctx context.Context) error {
	c := a.options.Config
	a.logSettings()

	a.registry = metrics.NewRegistry()
	a.metrics = metrics.New(a.registry, metrics.Options{
		Providers: a.options.Providers.Names(), Enabled: a.options.Providers.Enabled().Names(), Reconciled: a.settings().Reconciled(),
		Version: a.options.Build.Version, Revision: a.options.Build.Revision, GoVersion: a.options.Build.GoVersion,
		LogLinesDropped: a.options.LogLinesDropped,
	})
	if err := a.openDatabase(ctx); err != nil {
		return err
	}
	a.polar = polar.New(polar.Options{
		BaseURL: c.Polar.Endpoint(), Token: c.Polar.AccessToken.Value, Timeout: c.Polar.Timeout,
		UserAgent: "polar-bridge/" + a.options.Build.Version, Now: a.options.Now, OnRequest: a.metrics.PolarRequest,
	})
	limiter, err := ratelimit.New(ctx, ratelimit.Options{
		DB: a.db.Main, Reader: a.db.Reader, SQL: a.db.SQL, Now: a.options.Now,
		Name: "polar", PerMinute: c.Polar.RateLimit,
	})
	if err != nil {
		return err
	}
	a.limiter = limiter
	if err := a.openDirectories(); err != nil {
		return err
	}
	a.openConfirmer()
	if err := a.openSweepers(); err != nil {
		return err
	}
	if err := a.openQueue(ctx); err != nil {
		return err
	}
	a.openNotifier()
	newServer := handlers.NewServer
	if c.HTTP.H2C {
		newServer = handlers.NewH2CServer
	}
	a.public.Server = newServer(handlers.New(handlers.Options{ //nolint:contextcheck // handlers have their requests' contexts
		Providers: a.routes(), Acceptor: a.queue, Metrics: a.metrics, Logger: a.log,
		Now: a.options.Now, TrustedProxies: c.HTTP.TrustedProxies,
	}), a.log)
	a.admin.Server = handlers.NewServer(handlers.NewAdmin(handlers.AdminOptions{ //nolint:contextcheck // handlers have their requests' contexts
		Gatherer: a.registry, Ready: a.ready, Logger: a.log,
	}), a.log)
	if a.public.listener, err = listen(ctx, "webhook", c.HTTP.ListenAddr); err != nil {
		return err
	}
	a.admin.listener, err = listen(ctx, "admin", c.HTTP.AdminAddr)
	return err
}

// settings are those that the program was started with.
func (a *App) settings() settings.All {
	return settings.All{Config: a.options.Config, Providers: a.options.Providers}
}

// routes are the providers that are enabled.
func (a *App) routes() []handlers.Provider {
	var routes []handlers.Provider
	for _, s := range a.options.Providers.Enabled() {
		routes = append(routes, handlers.Provider{
			Name: s.Name, MaxBody: s.MaxBody, CheckHeader: s.Scheme.CheckHeader,
			Receive: func(h http.Header, body []byte) (deletion.Delivery, error) {
				d, err := s.Receive(h, body)
				return d.Matching(a.options.Config.Work.ExternalIDPattern), err
			},
			AcknowledgeEmpty: s.AcknowledgeEmpty, Challenge: s.Challenge,
		})
	}
	return routes
}

// logSettings says at start what is in force, and what is still undecided.
func (a *App) logSettings() {
	fields := []zap.Field{zap.String("version", a.options.Build.Version), zap.String("revision", a.options.Build.Revision)}
	for _, entry := range a.options.Config.Summary() {
		fields = append(fields, zap.String(entry.Name, entry.Value))
	}
	a.log.Info("starting", fields...)
	if !a.options.Config.Polar.AnonymizeSet {
		a.log.Warn("POLAR_ANONYMIZE is not set: customers are deleted but keep name and e-mail at Polar, and that can never be made up for; set it to true or false")
	}
	if a.options.Config.Work.DryRun {
		a.log.Warn("DRY_RUN is on: no customer is deleted at Polar")
	}
	if a.options.Config.HTTP.AdminPassword.IsSet() {
		a.log.Warn("ADMIN_PASSWORD is set, but this version has no console: use polar-bridge deletions")
	}
	a.logBlindGuards()
}

func (a *App) openDatabase(ctx context.Context) error {
	db, err := database.Open(ctx, a.options.Config.Database.URL.Reveal(), a.options.Config.Database.Schema)
	if err != nil {
		return err
	}
	a.db = db
	if err := db.Lock(ctx); err != nil {
		return err
	}
	if db.Pooled() {
		a.log.Info("the database is behind a transaction pooler: statements are not prepared, and work is asked for once a second")
	}
	if a.options.Config.Database.AutoMigrate {
		err = db.Migrate(ctx, func() {
			a.log.Warn("waiting for another replica that migrates the database; when there is none, end the session that holds the advisory lock (docs/scale-out.md)")
		})
	} else {
		err = db.CheckMigrated(ctx)
	}
	if err != nil {
		return err
	}
	return db.CheckExclusive(ctx)
}

func (a *App) openQueue(ctx context.Context) error {
	key, err := a.db.DigestKey(ctx)
	if err != nil {
		return err
	}
	c := a.options.Config
	deleter := a.deleter()
	a.queue, err = queue.New(queue.Options{
		Driver: a.db.Driver(), SQL: a.db.SQL, DB: a.db.Main, Reader: a.db.Reader, InPlace: a.db.InPlace,
		Key: key, Applier: deleter, Verifier: deleter, Limiter: a.limiter, MaxDeletionsPerHour: a.maxDeletionsPerHour(), GracePeriod: c.Guards.GracePeriod, VerifyAfter: c.Guards.VerifyAfter,
		Metrics: a.metrics, Logger: a.log, LogID: queue.LogID(c.Log.ExternalID, key), Now: a.options.Now,
		Workers: c.Polar.Concurrency, BatchSize: a.options.BatchSize, Retention: c.Work.Retention, DryRun: c.Work.DryRun,
	})
	if err != nil {
		return err
	}
	if a.db.Dialect != database.SQLite {
		return nil
	}
	interrupted, err := a.queue.ResetRunning(ctx)
	if err == nil && interrupted > 0 {
		a.log.Warn("deletions taken back from a process that was killed", zap.Int64("deletions", interrupted))
	}
	return err
}

func listen(ctx context.Context, what, address string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for %s requests: %w", what, err)
	}
	return listener, nil
}
