package app

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
	"github.com/polar-bridge/polar-bridge/polar"
)

// ReconcileShare is the largest part of the customers that may be orphans
// unless an operator says otherwise.
const ReconcileShare = 0.05

// reconcileLook is how often serve looks whether a sweep is due.
const reconcileLook = time.Minute

// SweeperOptions for NewSweeper.
type SweeperOptions struct {
	Config  *config.Config
	DB      *database.DB
	Polar   *polar.Client
	Limiter *ratelimit.Limiter
	Source  directory.Source
	Now     func() time.Time
	// OnProgress hears how far a sweep is. May be nil.
	OnProgress func(reconcile.Progress)
}

// NewSweeper puts a sweep together, for serve and for the command.
func NewSweeper(o SweeperOptions) (*reconcile.Sweeper, error) {
	return reconcile.New(reconcile.Options{
		DB: o.DB.Main, SQL: o.DB.SQL, Polar: o.Polar, Limiter: o.Limiter.ForSweeps(), Source: o.Source, Now: o.Now,
		Pattern: o.Config.Work.ExternalIDPattern, OnProgress: o.OnProgress,
	})
}

// openSweepers prepares the sweeps that RECONCILE_INTERVAL asks for.
func (a *App) openSweepers() error {
	c, sources := a.options.Config, a.directories.Sources()
	a.metrics.SetReconcileInterval(c.Directory.ReconcileInterval)
	for _, provider := range a.settings().Reconciled() {
		s, err := NewSweeper(SweeperOptions{
			Config: c, DB: a.db, Polar: a.polar, Limiter: a.limiter, Source: sources[provider], Now: a.options.Now,
		})
		if err != nil {
			return err
		}
		a.sweepers = append(a.sweepers, sweeper{provider, s})
	}
	return nil
}

// sweeper compares Polar's customers with one provider's users.
type sweeper struct {
	provider string
	*reconcile.Sweeper
}

// reconcile sweeps whenever that is due, until ctx ends. It only reports.
func (a *App) reconcile(ctx context.Context) {
	ticker := time.NewTicker(reconcileLook)
	defer ticker.Stop()
	for {
		for _, s := range a.sweepers {
			a.sweep(ctx, s)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (a *App) sweep(ctx context.Context, s sweeper) {
	provider := zap.String("provider", s.provider)
	swept, counts, err := s.SweepWhenDue(ctx, a.options.Config.Directory.ReconcileInterval, reconcile.Limits{Share: ReconcileShare})
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		a.log.Error("customers not reconciled", provider, zap.Error(err))
	case swept:
		a.log.Info("customers reconciled", provider, zap.Int("orphans", counts.Orphans), zap.Int("read", counts.Read), zap.Int("asked", counts.Asked),
			zap.Int("without_external_id", counts.WithoutID), zap.Int("foreign", counts.Foreign), zap.Int("young", counts.Young))
		if counts.Orphans > 0 {
			a.log.Warn("customers without a user: look at them with polar-bridge reconcile", provider, zap.Int("orphans", counts.Orphans))
		}
	}
	last, err := s.Last(ctx)
	if err == nil {
		a.metrics.SetReconciled(s.provider, last.Orphans, last.FinishedAt)
	}
	a.logRefresh(ctx, err)
}
