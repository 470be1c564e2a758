package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Each step of stopping has its own bound; together they stay below the grace
// period of 30 s that Kubernetes gives.
const (
	httpDrain = 10 * time.Second
	queueStop = 12 * time.Second
)

// stop is one step of closing, with a name for the error.
type stop struct {
	name string
	stop func() error
}

// onStop adds a step. The last one added is the first to run.
func (a *App) onStop(name string, f func() error) {
	a.stops = append(a.stops, stop{name, f})
}

// close runs all steps, whatever fails.
func (a *App) close() error {
	var errs []error
	for _, s := range slices.Backward(a.stops) {
		errs = append(errs, wrap(s.name, s.stop()))
	}
	a.stops = nil
	return errors.Join(errs...)
}

// waitForLoadBalancers keeps serving while readiness is red already.
func (a *App) waitForLoadBalancers() {
	delay := time.NewTimer(a.options.Config.HTTP.ShutdownDelay)
	defer delay.Stop()
	<-delay.C
}

// closeServers lets requests in flight finish.
func (a *App) closeServers() error {
	ctx, cancel := context.WithTimeout(context.Background(), httpDrain)
	defer cancel()
	return errors.Join(
		wrap("close webhook listener", a.publicHTTP.Shutdown(ctx)),
		wrap("close admin listener", a.adminHTTP.Shutdown(ctx)),
	)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
