package app

import (
	"context"
	"net/http"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/notify"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// openNotifier lets people be told when NOTIFY_URL says where.
func (a *App) openNotifier() {
	address := a.options.Config.Notify.URL
	if !address.IsSet() {
		return
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true} // it is rare
	a.notifier = notify.New(notify.Options{
		URL: address.Value, Client: &http.Client{Transport: transport}, Now: a.options.Now, Logger: a.log,
	})
}

// tell passes on what was read for the gauges.
func (a *App) tell(ctx context.Context, census queue.Census, paused string) {
	if a.notifier == nil {
		return
	}
	state := notify.State{Held: map[string]int{}, Unauthorized: paused == fault.PauseUnauthorized, OldestWaiting: census.OldestWaiting}
	if census.Held > 0 {
		held, err := a.queue.HeldByReason(ctx)
		if err != nil {
			a.logRefresh(ctx, err)
			return
		}
		for reason, count := range held {
			state.Held[string(reason)] = count
		}
	}
	a.notifier.Observe(state)
}
