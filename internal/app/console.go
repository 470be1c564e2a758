package app

import (
	"context"
	"net/http"
	"time"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/console"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// openConsole makes the pages for operators; nil without ADMIN_PASSWORD.
func (a *App) openConsole() (http.Handler, error) {
	all := a.options.Settings
	if !all.HTTP.AdminPassword.IsSet() {
		return nil, nil //nolint:nilnil // there is no console
	}
	store, err := queue.NewStore(a.db.Driver(), a.db.SQL, a.key, a.binding.ID, a.log)
	if err != nil {
		return nil, err
	}
	operator, err := ops.New(ops.Options{
		Store: store, Bindings: a.bindings, SQL: a.db.SQL, DB: a.db.Main, Reader: a.db.Reader,
		Logger: a.log, LogID: queue.LogID(all.Log.ExternalID, a.key), Now: a.options.Now,
	})
	if err != nil {
		return nil, err
	}
	return console.New(console.Options{
		Operator: operator, Password: all.HTTP.AdminPassword.Value, Key: a.key, ReadOnly: all.HTTP.AdminReadOnly, DryRun: all.Work.DryRun,
		Depth: a.queue.Depth, Status: a.consoleStatus,
		Checks: RequestChecks(all, a.directories.Sources()), Polar: a.polar, Limiter: a.limiter.ForSweeps(),
		CustomerURL: customerURL(all.Polar), ShowID: queue.LogID(queue.LogPlain, a.key), Logger: a.log, Now: a.options.Now,
	})
}

// customerURL is where Polar's dashboard shows a customer: it finds the organization
// by who is signed in there. There is none for another Polar.
func customerURL(c config.Polar) string {
	switch {
	case c.BaseURL != "":
		return ""
	case c.Server == "sandbox":
		return "https://sandbox.polar.sh/to/dashboard/customers/"
	}
	return "https://polar.sh/to/dashboard/customers/"
}

// consoleStatus is what the console shows besides the deletions.
func (a *App) consoleStatus(ctx context.Context) (s console.Status, err error) {
	s = console.Status{OtherOrganization: !a.binding.Open(), Damaged: !a.db.IntegrityOK(), Answers: a.answers.Last()}
	if s.Paused, _, err = a.limiter.Pause(ctx); err != nil {
		return s, err
	}
	counted, err := a.customers.LastMapping(ctx)
	if err != nil {
		return s, err
	}
	s.Customers = console.Customers{At: counted.At, Present: counted.Present, Lost: counted.Foreign + counted.Absent}
	for _, sweeper := range a.sweepers {
		last, err := sweeper.Last(ctx)
		if err != nil {
			return s, err
		}
		s.Reconciled = append(s.Reconciled, console.Reconciled{Provider: sweeper.provider, At: last.FinishedAt, Orphans: last.Orphans})
	}
	return s, nil
}

// polarRequest counts a request to Polar, and remembers it for the console.
func (a *App) polarRequest(operation, code string, took time.Duration) {
	a.metrics.PolarRequest(operation, code, took)
	a.answers.Add(console.Answer{At: a.options.Now(), Operation: operation, Code: code, Took: took})
}
