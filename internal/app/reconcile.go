package app

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
)

const (
	// reconcileShare is the largest part of the customers that may be orphans.
	reconcileShare = 0.05
	// reconcileEvery is how often serve looks whether a sweep is due.
	reconcileEvery = time.Minute
)

// openSweepers prepares the sweeps that RECONCILE_INTERVAL asks for.
func (a *App) openSweepers(providers []string, sources map[string]directory.Source) error {
	c := a.options.Settings
	a.metrics.SetReconcileInterval(c.Directory.ReconcileInterval)
	var err error
	if a.customers, err = reconcile.New(reconcile.Options{DB: a.db.Reader, SQL: a.db.SQL, Now: a.options.Now}); err != nil {
		return err
	}
	isUsers := c.IDForm().Matches
	for _, provider := range providers {
		s, err := reconcile.New(reconcile.Options{
			DB: a.db.Main, SQL: a.db.SQL, Polar: a.polar, Limiter: a.limiter.ForSweeps(), Source: sources[provider], Now: a.options.Now, Pattern: c.Work.ExternalIDPattern, IsUsers: isUsers,
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
	ticker := time.NewTicker(reconcileEvery)
	defer ticker.Stop()
	for {
		if a.binding.Open() {
			for _, s := range a.sweepers {
				a.sweep(ctx, s)
			}
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
	swept, counts, err := s.SweepWhenDue(ctx, a.options.Settings.Directory.ReconcileInterval, reconcile.Limits{Share: reconcileShare})
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
