package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"
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

// closeServers lets requests in flight finish. Whoever is slower than that is
// cut off: a stranger's dribbling body is no failure of ours.
func (a *App) closeServers() error {
	ctx, cancel := context.WithTimeout(context.Background(), httpDrain)
	defer cancel()
	return errors.Join(
		wrap("close webhook listener", a.closeServer(ctx, a.publicHTTP)),
		wrap("close admin listener", a.closeServer(ctx, a.adminHTTP)),
	)
}

func (a *App) closeServer(ctx context.Context, server *http.Server) error {
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		a.log.Warn("requests cut off", zap.Duration("after", httpDrain))
		return server.Close()
	}
	return err
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
