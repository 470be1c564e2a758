package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// away is a Polar that is away, with the process that has to bear it.
type away struct {
	name        string
	begin       func(t *testing.T, env *environment)
	end         func(t *testing.T, env *environment)
	settings    []string
	database    func(t testing.TB) string // SQLite when it is nil
	replicas    int                       // one when it is 0
	environment *environment
	ids         []string
	servers     []*process
}

func faulty(fault polartest.Fault) func(*testing.T, *environment) {
	return func(_ *testing.T, env *environment) { env.polar.SetFault(fault) }
}

// faultyDeletes breaks the DELETEs only, behind looks that work.
func faultyDeletes(fault polartest.Fault) func(*testing.T, *environment) {
	return func(_ *testing.T, env *environment) {
		env.polar.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
			if e.Operation != polartest.OperationDelete {
				return polartest.Fault{}
			}
			return fault
		})
	}
}

func repaired(_ *testing.T, env *environment) { env.polar.ClearFaults() }

// all starts an environment for each, breaks it and sends it n events.
func all(t *testing.T, aways []away, n int) {
	t.Helper()
	for i := range aways {
		a := &aways[i]
		if a.database == nil {
			a.database = databasetest.SQLite
		}
		a.environment = newEnvironment(t, a.database(t), append(a.settings, "POLAR_RATE_LIMIT=6000", "POLAR_TIMEOUT=5s")...)
		a.ids = a.environment.addCustomers(n)
		for range max(a.replicas, 1) {
			a.servers = append(a.servers, a.environment.start(t))
		}
		a.begin(t, a.environment)
	}
	for i := range n {
		for _, a := range aways {
			a.servers[i%len(a.servers)].deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), a.ids[i]), 202)
		}
	}
}

// attempts are the calls that the process made, also those that no Polar saw
// and those that are under way.
func (a *away) attempts(t *testing.T) int {
	t.Helper()
	return max(a.environment.calls(), int(a.sum(t, "polar_bridge_polar_request_duration_seconds_count{")))
}

// sum adds up what all replicas have counted.
func (a *away) sum(t *testing.T, series string) float64 {
	t.Helper()
	var sum float64
	for _, server := range a.servers {
		sum += server.sum(t, series)
	}
	return sum
}

// tidy requires that nothing is left, lost or held, and that nothing was
// deleted twice.
func (a *away) tidy(t *testing.T, within time.Duration) {
	t.Helper()
	a.environment.waitDeleted(t, a.ids, within)
	require.Eventually(t, func() bool {
		return a.sum(t, `polar_bridge_deletions_total{outcome="deleted"`) == float64(len(a.ids))
	}, patience, 50*time.Millisecond, a.name)
	require.Zero(t, a.sum(t, "polar_bridge_deletions_held_total{"), a.name)
}

// All outages are at the same time, because a test of them mostly waits.
func TestAnOutageCostsFewCallsAndLosesNothing(t *testing.T) {
	t.Parallel()
	const events, lasts, mostCalls, recovery = 100, 15 * time.Second, 60, 60 * time.Second
	var address string
	aways := []away{
		{name: "503", begin: faulty(polartest.Gateway(503)), end: repaired},
		{name: "503, two replicas", begin: faulty(polartest.Gateway(503)), end: repaired, replicas: 2, database: databasetest.Postgres},
		{name: "no answer", begin: faulty(polartest.Hang()), end: repaired},
		{name: "resets", begin: faulty(polartest.ResetBeforeCommit()), end: repaired},
		{name: "resets after the deed", begin: faultyDeletes(polartest.ResetAfterCommit()), end: repaired},
		{
			name: "connections refused",
			begin: func(t *testing.T, env *environment) {
				t.Helper()
				address = env.polar.URL().Host
				require.NoError(t, env.polar.Close())
			},
			end: func(t *testing.T, env *environment) {
				t.Helper()
				require.Eventually(t, func() bool { // somebody else may have connected from this port
					_, err := env.polar.Start(address)
					return err == nil
				}, patience, pulseEvery)
			},
		},
	}
	began := time.Now()
	all(t, aways, events)
	<-time.After(lasts - time.Since(began))

	calls := make([]int, len(aways))
	for i, a := range aways {
		calls[i] = a.attempts(t)
		a.end(t, a.environment)
	}
	recovered := time.Now()
	for i, a := range aways {
		require.Positive(t, calls[i], a.name)
		require.LessOrEqual(t, calls[i], mostCalls, a.name)
		a.tidy(t, recovery-time.Since(recovered))
		t.Logf("%s: %d calls in %s, all deleted at most %s after it", a.name, calls[i], lasts, time.Since(recovered).Round(time.Second))
	}
}

func TestATokenRevokedForAMinuteLosesNothing(t *testing.T) {
	t.Parallel()
	const events, lasts, mostCalls = 30, time.Minute, 4
	const nextToken = "polar_oat_marker_secret_next_0123456789"
	revoke := func(_ *testing.T, env *environment) { env.polar.RevokeToken(polarToken) }
	kept, replaced := mountSecret(t, "token", polarToken), mountSecret(t, "token", polarToken)
	inFile := func(m *mount) []string { return []string{"POLAR_ACCESS_TOKEN=", "POLAR_ACCESS_TOKEN_FILE=" + m.path()} }
	aways := []away{
		{name: "valid again", settings: inFile(kept), begin: revoke, end: func(_ *testing.T, env *environment) {
			env.polar.AllowToken(polarToken, polartest.TokenFull)
		}},
		{name: "another one in the file", settings: inFile(replaced), begin: revoke, end: func(t *testing.T, env *environment) {
			t.Helper()
			env.polar.AllowToken(nextToken, polartest.TokenFull)
			replaced.swap(t, nextToken+"\n")
		}},
		{
			name: "two replicas", replicas: 2, database: databasetest.Postgres,
			begin: revoke, end: func(_ *testing.T, env *environment) { env.polar.AllowToken(polarToken, polartest.TokenFull) },
		},
	}
	began := time.Now()
	all(t, aways, events)
	kept.swap(t, strings.Repeat(" ", 20)) // not usable: the old one stays in force
	<-time.After(lasts - time.Since(began))
	calls := make([]int, len(aways))
	for i, a := range aways {
		calls[i] = a.environment.calls()
		require.LessOrEqual(t, calls[i], mostCalls, a.name)
		require.Zero(t, a.sum(t, "polar_bridge_deletions_total{"), a.name)
		for _, server := range a.servers {
			server.waitMetric(t, `polar_bridge_polar_paused{reason="unauthorized"}`, 1, 10*time.Second)
		}
		a.end(t, a.environment)
	}
	for i, a := range aways {
		a.tidy(t, 100*time.Second)
		require.LessOrEqual(t, a.environment.deletes(), events+2*mostCalls, a.name)
		require.LessOrEqual(t, a.environment.calls(), 2*(events+mostCalls), a.name)
		t.Logf("%s: %d calls in the minute, all deleted %s after the revocation", a.name, calls[i], time.Since(began).Round(time.Second))
	}
	require.Contains(t, aways[0].servers[0].output(), `"msg":"secret not usable","setting":"POLAR_ACCESS_TOKEN"`)
}
