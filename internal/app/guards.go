package app

import (
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// deleter puts the use case together, with all guards that are on.
func (a *App) deleter() *deletion.Deleter {
	c := a.options.Config
	o := deletion.Options{
		Polar: a.polar, Limiter: a.limiter, Metrics: a.metrics, Logger: a.log, Now: a.options.Now,
		Anonymize:        c.Polar.Anonymize,
		GracePeriod:      c.Guards.GracePeriod,
		LookBeforeDelete: c.Guards.LookBeforeDelete,
		HoldTeam:         c.Guards.HoldTeam,
		HoldRecreated:    c.Guards.HoldRecreated,
		HoldBlind:        c.Guards.WhenBlind == config.GuardsHold,
	}
	if a.confirmer != nil {
		o.Confirmer = a.confirmer
	}
	return deletion.New(o)
}

// maxDeletionsPerHour is the limit that needs a lookup, 0 for none.
func (a *App) maxDeletionsPerHour() int {
	if !a.options.Config.Guards.LookBeforeDelete {
		return 0
	}
	return a.options.Config.Guards.MaxDeletionsPerHour
}

// logBlindGuards says which guards are on and see nothing.
func (a *App) logBlindGuards() {
	if blind := a.options.Config.Guards.Blind(); len(blind) > 0 {
		a.log.Warn("LOOK_BEFORE_DELETE is off: guards that need it do nothing", zap.Strings("guards", blind))
	}
}
