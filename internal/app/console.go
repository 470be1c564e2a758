package app

import (
	"context"
	"net/http"

	"riverqueue.com/riverui"

	"github.com/polar-bridge/polar-bridge/internal/console"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// byConsole is who acts, as it stands on the deletion.
const byConsole = "console"

// console returns the operator's console, or nil when there is no password.
func (a *App) console(ctx context.Context) (http.Handler, error) {
	password := a.options.Config.HTTP.AdminPassword
	if !password.IsSet() {
		return nil, nil //nolint:nilnil // no console is no error
	}
	key, err := a.db.DigestKey(ctx)
	if err != nil {
		return nil, err
	}
	if a.viewer, err = a.db.OpenViewer(); err != nil {
		return nil, err
	}
	client, err := queue.NewViewer(a.viewer.Driver(), a.log)
	if err != nil {
		return nil, err
	}
	operator, err := queue.NewOperator(queue.OperatorOptions{
		Driver: a.db.Driver(), DB: a.db.Main, Reader: a.db.Reader,
		Logger: a.log, LogID: queue.LogID(a.options.Config.Log.ExternalID, key), Now: a.options.Now, By: byConsole,
	})
	if err != nil {
		return nil, err
	}
	return console.New(console.Options{
		Endpoints: riverui.NewEndpoints(client, nil), Operator: operator, Password: password.Value, Key: key, Logger: a.log,
	})
}
