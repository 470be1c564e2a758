// Package app wires the program together and gives it a life: opened in order,
// run until told to stop, closed in reverse.
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

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/notify"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/slots"
	"github.com/polar-bridge/polar-bridge/metrics"
	"github.com/polar-bridge/polar-bridge/polar"
)

// Build says what was built.
type Build struct {
	Version, Revision, GoVersion string
}

// Options for New.
type Options struct {
	Config *config.Config
	Logger *zap.Logger
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
	options Options
	// maintenanceLog is for what would fail again ten times a second.
	maintenanceLog *zap.Logger
	log            *zap.Logger
	registry       *prometheus.Registry
	metrics        *metrics.Metrics

	db          *database.DB
	polar       *polar.Client
	limiter     *slots.Limiter
	confirmer   *directory.Confirmer
	directories Directories
	queue       *queue.Queue
	sweepers    []sweeper

	public, admin         net.Listener
	publicHTTP, adminHTTP *http.Server

	notifier *notify.Notifier // nil when nobody is told

	started  bool // the queue runs and has to be stopped
	draining atomic.Bool
	stops    []stop
}

// New opens everything in order: database, tables, Polar's client, limiter,
// queue, listeners. Nothing runs before Run. On an error all is closed again.
func New(ctx context.Context, o Options) (*App, error) {
	a := &App{options: o, log: o.Logger, maintenanceLog: fewLines(o.Logger)}
	if err := a.setup(ctx); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

// PublicAddr is where webhooks arrive.
func (a *App) PublicAddr() net.Addr { return a.public.Addr() }

// AdminAddr is where metrics and probes are.
func (a *App) AdminAddr() net.Addr { return a.admin.Addr() }

// Registry has the program's metrics.
func (a *App) Registry() *prometheus.Registry { return a.registry }

// Run serves until ctx ends, then stops in order: readiness red, a delay for
// load balancers to notice, listeners closed and requests finished, attempts
// finished or interrupted, database closed. It returns nil after an orderly
// stop.
func (a *App) Run(ctx context.Context) error {
	if err := a.queue.Start(ctx); err != nil {
		return errors.Join(err, a.close())
	}
	a.started = true
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return serve(a.publicHTTP, a.public) })
	group.Go(func() error { return serve(a.adminHTTP, a.admin) })
	group.Go(func() error { a.observe(running); return nil })
	group.Go(func() error { a.reconcile(running); return nil })
	group.Go(func() error {
		WatchSecrets(running, a.options.Config.Secrets(), a.options.Reread, a.log)
		return nil
	})
	if a.notifier != nil {
		group.Go(func() error { a.notifier.Run(running); return nil })
	}
	a.log.Info("ready", zap.Stringer("listen_addr", a.PublicAddr()), zap.Stringer("admin_addr", a.AdminAddr()))

	<-running.Done() // told to stop, or a listener failed
	a.draining.Store(true)
	a.log.Info("stopping")
	if ctx.Err() != nil {
		a.waitForLoadBalancers()
	}
	err := errors.Join(a.closeServers(), a.close(), group.Wait()) //nolint:contextcheck // stopping begins when ctx has ended
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

func serve(server *http.Server, listener net.Listener) error {
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	}
	return nil
}
