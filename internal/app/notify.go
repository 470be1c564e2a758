package app

import (
	"net/http"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
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

// notify passes on what was read for the gauges.
func (a *App) notify(depth queue.Depth, paused deletion.WaitReason) {
	if a.notifier == nil {
		return
	}
	state := notify.State{Held: map[string]int{}, Unauthorized: paused == deletion.WaitUnauthorized, OldestWaiting: depth.OldestWaiting}
	for reason, count := range depth.Held {
		state.Held[string(reason)] = count
	}
	if n := depth.Pending[deletion.StateReappeared]; n > 0 {
		state.Held[string(deletion.StateReappeared)] = n
	}
	a.notifier.Observe(state)
}
