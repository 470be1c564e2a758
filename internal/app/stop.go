package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	draining, cancel := context.WithTimeout(ctx, httpDrain)
	defer cancel()
	public := wrap("close webhook listener", a.closeEndpoint(draining, a.public))
	admin := wrap("close admin listener", a.closeEndpoint(draining, a.admin))
	// River: attempts in flight end, or are interrupted.
	var river error
	if a.started {
		a.limiter.Close() // workers that wait for a permit need not be waited for
		stopping, cancel := context.WithTimeout(ctx, queueStop)
		defer cancel()
		river = wrap("stop queue", a.queue.StopWork(stopping))
	}
	// Loops and servers: they were told to stop before.
	running := a.running.Wait()
	// Committer: what became of the attempts is stored.
	if a.started {
		a.queue.StopCommits()
	}
	// Connections: nobody uses Polar or the database any more, whose file is unlocked.
	var connections error
	if a.polar != nil {
		a.polar.CloseIdleConnections()
	}
	if a.db != nil {
		connections = wrap("close database", a.db.Close())
	}
	auth := wrap("close auth database", a.directories.Close())
	if err := a.tracer.Close(ctx); err != nil { // nothing depends on them
		a.log.Warn("send traces failed", zap.Error(err))
	}
	return errors.Join(public, admin, river, running, connections, auth)
}

// closeWhenDraining ends each connection after its next answer once stopping has
// begun, so that the next request takes a new connection, to another replica.
// Server.SetKeepAlivesEnabled would close idle ones at once, under a request that is
// on its way.
func (a *App) closeWhenDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
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

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
