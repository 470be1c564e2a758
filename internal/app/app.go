// Package app wires the program together: New opens its parts in order, Run serves
// and keeps everything in the background running until told to stop, and close ends
// it all.
//
// It decides nothing about deletions; it is the only package that knows all
// the others.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/polar-bridge/polar-bridge/internal/binding"
	"github.com/polar-bridge/polar-bridge/internal/console"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/notify"
	"github.com/polar-bridge/polar-bridge/internal/outbox"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
	"github.com/polar-bridge/polar-bridge/internal/settings"
	"github.com/polar-bridge/polar-bridge/internal/tracing"
	"github.com/polar-bridge/polar-bridge/metrics"
	"github.com/polar-bridge/polar-bridge/polar"
)

// Build says what was built.
type Build struct {
	Version, Revision, GoVersion string
}

// Options for New.
type Options struct {
	Settings settings.All // loaded
	Logger   *zap.Logger
	// LogLinesDropped is how many lines the logger has lost; nil for none.
	LogLinesDropped func() uint64
	Now             func() time.Time
	Build           Build
	// BatchSize is queue.Options.BatchSize; 0 is the default.
	BatchSize int
	// Reread makes the files of secrets be read at once; nil never does.
	Reread <-chan os.Signal
}

// App is the running service.
type App struct {
	options  Options
	log      *zap.Logger
	registry *prometheus.Registry
	metrics  *metrics.Metrics
	tracer   *tracing.Tracer // nil when nobody asks for traces

	db       *database.DB
	key      []byte // of digests
	bindings *binding.Store
	polar    *polar.Client
	limiter  *ratelimit.Limiter
	binding  *binding.Gate
	queue    *queue.Queue
	sweepers []sweeper
	// customers reads how many of Polar's can be found.
	customers *reconcile.Sweeper

	directories Directories
	outbox      *outbox.Reader // nil without AUTH_DATABASE_OUTBOX

	public, admin endpoint

	notifier *notify.Notifier // nil when nobody is told
	answers  console.Answers  // Polar's last ones, for the console

	started  bool // the queue runs and has to be stopped
	draining atomic.Bool
	running  errgroup.Group // servers and loops
}

// endpoint is a server and where it listens.
type endpoint struct {
	*http.Server

	listener net.Listener
}

// New opens everything in order: database, tables, Polar's client, limiter,
// queue, listeners. Nothing runs before Run. On an error all is closed again.
func New(ctx context.Context, o Options) (*App, error) {
	a := &App{options: o, log: o.Logger}
	if err := a.setup(ctx); err != nil {
		return nil, errors.Join(err, a.close(ctx))
	}
	return a, nil
}

// PublicAddr is where webhooks arrive.
func (a *App) PublicAddr() net.Addr { return a.public.listener.Addr() }

// AdminAddr is where metrics and probes are.
func (a *App) AdminAddr() net.Addr { return a.admin.listener.Addr() }

// Run serves until ctx ends or a listener fails, then stops: readiness red, a delay
// for load balancers to notice, close. It returns nil after an orderly stop.
func (a *App) Run(ctx context.Context) error {
	if err := a.queue.Start(ctx); err != nil {
		return errors.Join(err, a.close(ctx))
	}
	a.started = true
	running, stop := context.WithCancel(ctx)
	defer stop()
	for _, e := range []endpoint{a.public, a.admin} {
		a.running.Go(func() error { defer stop(); return e.serve() })
	}
	for _, l := range a.loops() {
		a.log.Debug("loop started", zap.String("loop", l.name), zap.String("owner", l.owner))
		a.running.Go(func() error { l.run(running); return nil })
	}
	a.log.Info("ready", zap.Stringer("listen_addr", a.PublicAddr()), zap.Stringer("admin_addr", a.AdminAddr()))

	<-running.Done()
	a.draining.Store(true)
	a.log.Info("stopping")
	if ctx.Err() != nil {
		<-time.After(a.options.Settings.HTTP.ShutdownDelay) // load balancers notice meanwhile that readiness is red
	}
	err := a.close(ctx)
	a.log.Info("stopped")
	return err
}

// ready says whether webhooks should be sent here. Polar has no say: while it
// is away, webhooks must still be taken.
func (a *App) ready(ctx context.Context) error {
	if a.draining.Load() {
		return errors.New("stopping")
	}
	if err := a.db.Ping(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

func (e endpoint) serve() error {
	if err := e.Serve(e.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", e.listener.Addr(), err)
	}
	return nil
}
