package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// step moves every time that a running server has stored, which is to the
// server as if its clock had stepped the other way.
func step(t *testing.T, path string, by time.Duration) {
	t.Helper()
	seconds := int(by.Seconds())
	stamp := func(column string) string {
		return fmt.Sprintf("%s = strftime('%%Y-%%m-%%d %%H:%%M:%%f', %s, '%+d seconds')", column, column, seconds)
	}
	moved := func(column string) string {
		return fmt.Sprintf("%s = CASE %s WHEN 0 THEN 0 ELSE %s + %d END", column, column, column, by.Microseconds())
	}
	for _, statement := range []string{
		"UPDATE river_job SET " + stamp("created_at") + ", " + stamp("attempted_at") + ", " + stamp("scheduled_at") + ", " + stamp("finalized_at"),
		"UPDATE polar_bridge_deletions SET " + moved("received_at") + ", " + moved("decided_at") + ", " + moved("sent_at") + ", " + moved("counted_at") + ", " + moved("next_try_at"),
		"UPDATE river_leader SET " + stamp("expires_at"),
		"UPDATE polar_bridge_rate_limit SET " + moved("tat") + ", " + moved("blocked_until"),
	} {
		_, err := handle(t, path).ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

func TestAStepOfTheClockStopsNoDeletion(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"back": time.Hour, "forward": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnvironment(t, databasetest.SQLite(t), "POLAR_RATE_LIMIT=600")
			ids := env.addCustomers(12)
			p := env.start(t)
			env.polar.SetFault(polartest.Gateway(503))
			for i, id := range ids[:10] {
				p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
			}
			// Some failed, some wait for the open circuit.
			env.waitForCalls(t, 6)
			step(t, sqliteFile(env.database), by)
			env.polar.ClearFaults()
			p.deliver(t, sign(t, "clerk", "msg_10", ids[10]), http.StatusAccepted)
			began := time.Now()
			env.waitDeleted(t, ids[10:11], time.Minute)
			t.Logf("a new one after %s", time.Since(began).Round(time.Second))
			env.waitDeleted(t, ids[:10], 2*time.Minute)
			t.Logf("all of them after %s", time.Since(began).Round(time.Second))

			p.deliver(t, sign(t, "clerk", "msg_3", ids[3]), http.StatusOK)
			p.deliver(t, sign(t, "auth0", "evt_11", ids[11]), http.StatusAccepted)
			env.waitDeleted(t, ids[11:], time.Minute)
			p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, time.Minute)
			require.Zero(t, p.metric(t, `polar_bridge_deletions_pending{state="held"}`))
		})
	}
}

func TestGenuineEventsAreTakenWhileTheClockStepsToAndFro(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	ids := env.addCustomers(10)
	var offset atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	p := &process{webhooks: env.embed(t, now)}
	for i, by := range []time.Duration{0, time.Hour, -time.Hour, 0, -time.Hour} {
		offset.Store(int64(by))
		for j, provider := range []string{"clerk", "auth0"} {
			id := ids[2*i+j]
			p.deliver(t, signAt(t, provider, "evt_"+id, id, now()), http.StatusAccepted)
			env.waitDeleted(t, []string{id}, 30*time.Second)
			p.deliver(t, signAt(t, provider, "evt_"+id, id, now()), http.StatusOK)
		}
		// A clock that is wrong by more than five minutes is not the sender's.
		p.deliver(t, signAt(t, "clerk", "evt_old", "user_old", now().Add(-time.Hour)), http.StatusUnauthorized)
		p.deliver(t, signAt(t, "clerk", "evt_new", "user_new", now().Add(time.Hour)), http.StatusUnauthorized)
	}
	require.Equal(t, len(ids), env.deletes())
}

// signAt signs as a provider does whose clock says at.
func signAt(t *testing.T, route, eventID, externalID string, at time.Time) delivery {
	t.Helper()
	entry, ok := everyProvider().Lookup(route)
	require.True(t, ok)
	secret := map[string]string{"clerk": clerkKey, "auth0": auth0Token}[route]
	header, body, err := entry.Sample(secret, provider.Sample{ExternalID: externalID, EventID: eventID, Time: at})
	require.NoError(t, err)
	return delivery{route, header, body}
}

// embed runs the program in this process, with a clock of its own, and returns
// where it takes webhooks.
func (env *environment) embed(t *testing.T, now func() time.Time) string {
	t.Helper()
	environment := map[string]string{
		"POLAR_ACCESS_TOKEN": polarToken, "POLAR_BASE_URL": env.polar.URL().String(), "DATABASE_URL": env.database,
		"CLERK_WEBHOOK_SIGNING_SECRET": clerkKey, "AUTH0_WEBHOOK_TOKEN": auth0Token, "LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0",
	}
	all, err := settings.Read(config.Env{Getenv: func(name string) string { return environment[name] }}, provider.Options{Now: now})
	require.NoError(t, err)
	service, err := app.New(t.Context(), app.Options{Settings: all, Logger: zap.NewNop(), Now: now})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return "http://" + service.PublicAddr().String()
}

func TestRetryAfterInAllItsForms(t *testing.T) {
	t.Parallel()
	date := func(in time.Duration) string { return time.Now().Add(in).UTC().Format(http.TimeFormat) }
	tests := []struct {
		name          string
		value         func() string
		atLeast, most time.Duration // dates have whole seconds, and the journal's time is a little later
	}{
		{"seconds", func() string { return "3" }, 2900 * time.Millisecond, 3 * time.Second},
		{"a date", func() string { return date(4 * time.Second) }, 2900 * time.Millisecond, 4 * time.Second},
		{"a date that is over", func() string { return date(-time.Hour) }, 900 * time.Millisecond, time.Second},
		{"negative", func() string { return "-30" }, 900 * time.Millisecond, time.Second},
		{"zero", func() string { return "0" }, 900 * time.Millisecond, time.Second},
		{"a day", func() string { return "86400" }, 9 * time.Minute, 10 * time.Minute},
		{"a number beyond all numbers", func() string { return "99999999999999999999" }, 9 * time.Minute, 10 * time.Minute},
		{"a date in a year", func() string { return date(365 * 24 * time.Hour) }, 9 * time.Minute, 10 * time.Minute},
		{"a word", func() string { return "soon" }, 50 * time.Second, time.Minute},
		{"nothing", func() string { return "" }, 50 * time.Second, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := newEnvironment(t, databasetest.SQLite(t), "POLAR_CONCURRENCY=1")
			ids := env.addCustomers(2)
			p := env.start(t)
			limited := polartest.Status(http.StatusTooManyRequests, "", "")
			if value := tt.value(); value != "" {
				limited.Header.Set("Retry-After", value)
			}
			env.polar.FailNext(1, limited)
			began := time.Now()
			for i, id := range ids {
				p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
			}
			env.waitForCalls(t, 1)
			until := env.blockedUntil(t)
			require.LessOrEqual(t, time.Until(until), tt.most)
			require.GreaterOrEqual(t, until.Sub(began), tt.atLeast)
			if tt.most > 10*time.Second {
				require.Equal(t, 1, env.calls())
				return
			}
			env.waitDeleted(t, ids, time.Minute)
			calls := env.journal()
			require.Len(t, calls, 5, "the one that was refused, and a look and a DELETE for each")
			require.Equal(t, 2, env.deletes())
			require.WithinRange(t, calls[1].Time, until.Add(-50*time.Millisecond), time.Now())
		})
	}
}

// blockedUntil waits for a pause and returns its end.
func (env *environment) blockedUntil(t *testing.T) time.Time {
	t.Helper()
	db := handle(t, sqliteFile(env.database))
	var until int64
	require.Eventually(t, func() bool {
		err := db.QueryRowContext(t.Context(), "SELECT blocked_until FROM polar_bridge_rate_limit").Scan(&until)
		return err == nil && until > 0
	}, patience, 5*time.Millisecond)
	return time.UnixMicro(until)
}
