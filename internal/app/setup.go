package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/binding"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/notify"
	"github.com/polar-bridge/polar-bridge/internal/outbox"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
	"github.com/polar-bridge/polar-bridge/internal/settings"
	"github.com/polar-bridge/polar-bridge/internal/tracing"
	"github.com/polar-bridge/polar-bridge/metrics"
	"github.com/polar-bridge/polar-bridge/polar"
)

// setup is one straight line of steps on purpose: each needs those before it, and
// close undoes those that were made.
func (a *App) setup(ctx context.Context) error {
	o, c := a.options, a.options.Settings
	reconciled := c.Reconciled()
	a.logSettings()

	a.registry = metrics.NewRegistry()
	a.metrics = metrics.New(a.registry, metrics.Options{
		Providers: c.ProviderNames(), Enabled: c.Enabled(), Reconciled: reconciled,
		Version: o.Build.Version, Revision: o.Build.Revision, GoVersion: o.Build.GoVersion,
		LogLinesDropped: o.LogLinesDropped,
	})
	var err error
	if a.tracer, err = tracing.New(ctx, o.Build.Version, fewLines(a.log)); err != nil {
		a.log.Warn("traces are not sent", zap.Error(err)) // deletions do not depend on them
	}
	if err := a.openDatabase(ctx); err != nil {
		return err
	}
	a.polar = polar.New(polar.Options{
		BaseURL: c.Polar.Endpoint(), Token: c.Polar.AccessToken.Value, Timeout: c.Polar.Timeout,
		UserAgent: "polar-bridge/" + o.Build.Version, Now: o.Now, OnRequest: a.polarRequest, Transport: tracing.Transport(polar.NewTransport()),
	})
	a.limiter, err = ratelimit.New(ctx, ratelimit.Options{
		DB: a.db.Main, Reader: a.db.Reader, SQL: a.db.SQL, Now: o.Now,
		Name: "polar", PerMinute: c.Polar.RateLimit,
	})
	if err != nil {
		return err
	}
	if err := a.bind(ctx); err != nil {
		return err
	}
	if a.directories, err = NewDirectories(c, o.Build, o.Now, a.db); err != nil {
		return err
	}
	if err := a.openSweepers(reconciled, a.directories.Sources()); err != nil {
		return err
	}
	if err := a.openQueue(ctx, a.directories.Sources()); err != nil {
		return err
	}
	if auth := a.directories.AuthDatabase; auth != nil && c.AuthDatabase.Outbox {
		a.outbox = outbox.New(outbox.Options{
			Database: auth, Pinned: &directory.PinnedInstance{Store: a.db, Provider: auth.Provider},
			Pattern: c.Work.ExternalIDPattern, Acceptor: a.queue, Metrics: a.metrics, Logger: a.log, Now: o.Now,
		})
	}
	if address := c.Notify.URL; address.IsSet() {
		transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true} // it is rare
		a.notifier = notify.New(notify.Options{URL: address.Value, Client: &http.Client{Transport: transport}, Now: o.Now, Logger: a.log})
	}
	return a.listen(ctx)
}

// listen opens the two listeners. Nobody is answered before Run.
func (a *App) listen(ctx context.Context) error {
	o, c := a.options, a.options.Settings.HTTP
	newServer := handlers.NewServer
	if c.H2C {
		newServer = handlers.NewH2CServer
	}
	a.public.Server = newServer(a.closeWhenDraining(handlers.New(handlers.Options{ //nolint:contextcheck // handlers have their requests' contexts
		Providers: a.routes(), Acceptor: a.queue, Metrics: a.metrics, Logger: a.log, Tracer: a.tracer, Now: o.Now, TrustedProxies: c.TrustedProxies,
	})), a.log)
	console, err := a.openConsole()
	if err != nil {
		return err
	}
	a.admin.Server = handlers.NewServer(handlers.NewAdmin(handlers.AdminOptions{ //nolint:contextcheck // handlers have their requests' contexts
		Gatherer: a.registry, Ready: a.ready, Console: console, TrustedProxies: c.TrustedProxies, Logger: a.log,
	}), a.log)
	if a.public.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", c.ListenAddr); err != nil {
		return fmt.Errorf("listen for webhook requests, as LISTEN_ADDR or PORT says: %w", err)
	}
	if a.admin.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", c.AdminAddr); err != nil {
		return fmt.Errorf("listen for admin requests, as ADMIN_ADDR says: %w", err)
	}
	return nil
}

// routes are the providers that are enabled.
func (a *App) routes() []handlers.Provider {
	var routes []handlers.Provider
	for _, s := range a.options.Settings.Providers.Enabled() {
		routes = append(routes, handlers.Provider{
			Name: s.Name, Title: s.Title, MaxBody: s.MaxBody, CheckHeader: s.CheckHeader,
			Receive: func(h http.Header, body []byte) (deletion.Delivery, error) {
				d, err := s.Receive(h, body)
				return d.Matching(a.options.Settings.Work.ExternalIDPattern), err
			},
			AcknowledgeEmpty: s.AcknowledgeEmpty, Challenge: s.Challenge,
		})
	}
	return routes
}

// logSettings says at start what is in force, and what is still undecided. People are
// spared what is left at its default.
func (a *App) logSettings() {
	var defaults []config.Entry
	if a.options.Settings.Log.Format == "console" {
		unset, _ := settings.Read(config.Env{Getenv: func(string) string { return "" }}, provider.Options{Now: a.options.Now}) // that something is missing is no matter
		defaults = unset.Summary()
	}
	fields := []zap.Field{zap.String("version", a.options.Build.Version), zap.String("revision", a.options.Build.Revision)}
	for _, entry := range a.options.Settings.Summary() {
		if !slices.Contains(defaults, entry) {
			fields = append(fields, zap.String(entry.Name, entry.Value))
		}
	}
	a.log.Info("starting", fields...)
	if !a.options.Settings.Polar.AnonymizeSet {
		a.log.Warn("POLAR_ANONYMIZE is not set: customers are deleted but keep name and e-mail at Polar, and that can never be made up for; set it to true or false")
	}
	if a.options.Settings.Work.DryRun {
		a.log.Warn("DRY_RUN is on: no customer is deleted at Polar")
	}
	if blind := a.options.Settings.Guards.Blind(); len(blind) > 0 {
		a.log.Warn("LOOK_BEFORE_DELETE is off: guards that need it do nothing", zap.Strings("guards", blind))
	}
}

func (a *App) openDatabase(ctx context.Context) error {
	db, err := database.Open(ctx, a.options.Settings.Database.Address(), a.options.Settings.Database.Schema)
	if err != nil {
		return err
	}
	a.db = db
	a.registry.MustRegister(collectors.NewDBStatsCollector(db.Main, "main"), collectors.NewDBStatsCollector(db.Reader, "reader"))
	if err := db.Lock(ctx); err != nil {
		return err
	}
	switch {
	case db.Pooled():
		a.log.Info("the database is behind a transaction pooler: statements are not prepared, and work is asked for once a second")
	case db.Dialect == database.Postgres && !db.Notified():
		a.log.Info("the database sends no notifications (LISTEN): work is asked for once a second")
	}
	if a.options.Settings.Database.AutoMigrate {
		err = db.Migrate(ctx, func() {
			a.log.Warn("waiting for another replica that migrates the database; when there is none, end the session that holds the advisory lock (docs/scale-out.md)")
		})
	} else {
		err = db.CheckMigrated(ctx)
	}
	if err != nil {
		return err
	}
	if err := db.CheckExclusive(ctx); err != nil {
		return err
	}
	a.key, err = db.DigestKey(ctx)
	return err
}

// bind finds out, before anything is sent, whether the database belongs to this
// Polar organization.
func (a *App) bind(ctx context.Context) error {
	var err error
	if a.bindings, err = binding.NewStore(a.db.Main, a.db.SQL); err != nil {
		return err
	}
	c := a.options.Settings.Polar
	a.binding = binding.New(binding.Options{
		Store: a.bindings, Polar: a.polar, Limiter: a.limiter, BaseURL: c.Endpoint(), Key: a.key, Token: c.AccessToken.Value, Logger: a.log, Now: a.options.Now,
	})
	return a.binding.Begin(ctx)
}

// openQueue puts the use case together, with all guards that are on, and the queue
// that carries it out.
func (a *App) openQueue(ctx context.Context, sources map[string]directory.Source) error {
	c, now := a.options.Settings, a.options.Now
	deleter := deletion.New(deletion.Options{
		Polar: a.polar, Limiter: a.limiter, Confirmer: directory.NewConfirmer(sources, !c.Directory.Confirm(), now), Metrics: a.metrics, Logger: a.log, Now: now, Owns: a.binding.Owns,
		Anonymize: c.Polar.Anonymize, GracePeriod: c.Guards.GracePeriod, LookBeforeDelete: c.Guards.LookBeforeDelete, RecordLoss: c.Guards.RecordLoss, MetadataKey: c.Polar.MetadataKey,
		HoldTeam: c.Guards.HoldTeam, HoldRecreated: c.Guards.HoldRecreated, HoldBlind: c.Guards.WhenBlind == config.GuardsHold,
	})
	maxPerHour := c.Guards.MaxDeletionsPerHour
	if !c.Guards.LookBeforeDelete {
		maxPerHour = 0 // it counts the customers that a look has found
	}
	var err error
	a.queue, err = queue.New(queue.Options{
		Driver: a.db.Driver(), SQL: a.db.SQL, DB: a.db.Main, Reader: a.db.Reader, InPlace: a.db.InPlace,
		Key: a.key, Binding: a.binding, Applier: deleter, Verifier: deleter, Limiter: a.limiter, MaxDeletionsPerHour: maxPerHour, GracePeriod: c.Guards.GracePeriod, VerifyAfter: c.Guards.VerifyAfter,
		Metrics: a.metrics, Logger: a.log, Tracer: a.tracer, LogID: queue.LogID(c.Log.ExternalID, a.key), Now: now,
		Workers: c.Polar.Concurrency, BatchSize: a.options.BatchSize, Retention: c.Work.Retention, DryRun: c.Work.DryRun,
	})
	if err != nil || a.db.Dialect != database.SQLite {
		return err
	}
	interrupted, err := a.queue.ResetRunning(ctx)
	if err == nil && interrupted > 0 {
		a.log.Warn("deletions taken back from a process that was killed", zap.Int64("deletions", interrupted))
	}
	return err
}
