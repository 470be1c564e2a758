package app

import (
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/window"
)

// deleter puts the use case together, with all guards that are on.
func (a *App) deleter() *deletion.Deleter {
	c := a.options.Config
	o := deletion.Options{
		Polar: a.polar, Slots: a.limiter, Metrics: a.metrics, Logger: a.log, Now: a.options.Now,
		Anonymize:        c.Polar.Anonymize,
		GracePeriod:      c.Guards.GracePeriod,
		LookBeforeDelete: c.Guards.LookBeforeDelete,
		HoldTeam:         c.Guards.HoldTeam,
		HoldRecreated:    c.Guards.HoldRecreated,
		HoldBlind:        c.Guards.WhenBlind == config.GuardsHold,
		Confirmer:        a.confirmer,
	}
	if c.Guards.MaxDeletionsPerHour > 0 {
		o.Window = window.New(window.Options{
			DB: a.db.Main, Server: a.db.Dialect == database.Postgres, Now: a.options.Now,
			Limit: c.Guards.MaxDeletionsPerHour,
		})
	}
	return deletion.New(o)
}

// logBlindGuards says which guards are on and see nothing.
func (a *App) logBlindGuards() {
	if blind := a.options.Config.Guards.Blind(); len(blind) > 0 {
		a.log.Warn("LOOK_BEFORE_DELETE is off: guards that need it do nothing", zap.Strings("guards", blind))
	}
}
