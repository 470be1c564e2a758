package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// Each step of stopping has its own bound; together they stay below the grace
// period of 30 s that Kubernetes gives.
const (
	httpDrain = 10 * time.Second
	queueStop = 12 * time.Second
)

// close ends whatever was opened and runs, even if only some of it does, and goes on
// after an error. Stopping begins when ctx has ended.
func (a *App) close(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	// Listeners: nothing new comes in, and requests in flight are answered.
	listeners := a.closeListeners(ctx)
	// River: attempts in flight end, or are interrupted.
	river := wrap("stop queue", a.stopWork(ctx))
	// Loops and servers: they were told to stop before.
	running := a.running.Wait()
	// Committer: what became of the attempts is stored.
	a.stopCommits()
	// Connections: nobody uses Polar or the database any more, whose file is unlocked.
	connections := wrap("close database", a.closeConnections())
	return errors.Join(listeners, river, running, connections)
}

// waitForLoadBalancers keeps serving while readiness is red already.
func (a *App) waitForLoadBalancers() {
	delay := time.NewTimer(a.options.Config.HTTP.ShutdownDelay)
	defer delay.Stop()
	<-delay.C
}

func (a *App) closeListeners(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, httpDrain)
	defer cancel()
	return errors.Join(
		wrap("close webhook listener", a.closeEndpoint(ctx, a.public)),
		wrap("close admin listener", a.closeEndpoint(ctx, a.admin)),
	)
}

// closeEndpoint lets requests in flight finish. Whoever is slower than that is cut
// off: a stranger's dribbling body is no failure of ours.
func (a *App) closeEndpoint(ctx context.Context, e endpoint) error {
	if e.listener == nil {
		return nil
	}
	defer e.listener.Close() //nolint:errcheck // its server has closed it, if it served
	err := e.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		a.log.Warn("requests cut off", zap.Duration("after", httpDrain))
		return e.Close()
	}
	return err
}

func (a *App) stopWork(ctx context.Context) error {
	if !a.started {
		return nil
	}
	a.limiter.Close() // workers that wait for a permit need not be waited for
	ctx, cancel := context.WithTimeout(ctx, queueStop)
	defer cancel()
	return a.queue.StopWork(ctx)
}

func (a *App) stopCommits() {
	if a.started {
		a.queue.StopCommits()
	}
}

func (a *App) closeConnections() error {
	if a.polar != nil {
		a.polar.CloseIdleConnections()
	}
	if a.db == nil {
		return nil
	}
	return a.db.Close()
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
