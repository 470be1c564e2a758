package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

const otherOrganization = "0c2b8bd4-6b0f-4a39-9d1c-6f0f5d3a7e11"

// elsewhere is the same database with another organization's Polar.
func (env *environment) elsewhere(t *testing.T) *environment {
	t.Helper()
	const token = "polar_oat_marker_secret_of_another_one"
	server := polartest.Start(t, polartest.Options{Token: token, OrganizationID: otherOrganization})
	other := env.with("POLAR_ACCESS_TOKEN="+token, "POLAR_BASE_URL="+server.URL().String())
	other.polar = server
	return other
}

// with is the same environment with other settings.
func (env *environment) with(settings ...string) *environment {
	other := *env
	other.settings = maps.Clone(env.settings)
	other.set(settings...)
	return &other
}

const otherOrganizationPaused = `polar_bridge_polar_paused{reason="other_organization"}`

// Two deployments with one DATABASE_URL: each customer goes at the Polar whose
// server took the webhook, or waits.
func TestTwoOrganizationsOnOneDatabase(t *testing.T) {
	t.Parallel()
	const events = 40
	first := newEnvironment(t, databasetest.Postgres(t))
	second := first.elsewhere(t)
	var ids [2][]string
	for i := range events {
		for n, env := range []*environment{first, second} {
			id := fmt.Sprintf("user_%d_%04d", n, i)
			env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
			ids[n] = append(ids[n], id)
		}
	}
	servers := []*process{first.start(t), second.start(t)}
	for i := range events {
		for n, p := range servers {
			p.deliver(t, sign(t, "clerk", fmt.Sprintf("msg_%d_%d", n, i), ids[n][i]), http.StatusAccepted)
		}
	}
	first.waitDeleted(t, ids[0], time.Minute)
	servers[1].waitMetric(t, otherOrganizationPaused, 1, 20*time.Second)
	require.Zero(t, servers[0].metric(t, otherOrganizationPaused))
	servers[1].says(t, "the database belongs to another Polar organization")
	require.Zero(t, second.calls(), "nothing is sent")
	require.Equal(t, events, waiting(first.jobs(t)))

	id := fmt.Sprint(second.deletion(t, ids[1][0], "waiting").ID)
	second.bridge(t, 1, "deletions", "cancel", id, "--because", "a mistake") // no decision about another organization's
	second.bridge(t, 1, "reconcile", "--provider", "clerk", "--apply")

	second.bridge(t, 0, "rebind", "--because", "the first shop has closed")
	second.waitDeleted(t, ids[1], 2*time.Minute)
	servers[0].waitMetric(t, otherOrganizationPaused, 1, 90*time.Second)
	for n, env := range []*environment{first, second} {
		require.Equal(t, events, env.committed())
		for _, call := range env.journal() {
			require.Contains(t, ids[n], call.ExternalID, "of the other organization")
		}
	}
}

// The token still is what it was, and yet Polar, or what stands before it, shows
// another organization's customer.
func TestACustomerOfAnotherOrganizationIsNotDeleted(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	id := env.addCustomers(1)[0]
	env.polar.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
		if e.Operation != polartest.OperationGet {
			return polartest.Fault{}
		}
		return polartest.Status(http.StatusOK, "application/json", fmt.Sprintf(
			`{"id":"c-1","external_id":%q,"type":"individual","created_at":"2020-01-01T00:00:00Z","organization_id":%q}`, id, otherOrganization))
	})
	p := env.start(t)
	p.deliver(t, sign(t, "clerk", "msg_0", id), http.StatusAccepted)
	p.says(t, "Polar showed a customer of another organization than the database belongs to")
	p.waitMetric(t, otherOrganizationPaused, 1, 20*time.Second)
	require.Zero(t, env.deletes())
	env.polar.ClearFaults()
	env.waitDeleted(t, []string{id}, 3*time.Minute)
	p.waitMetric(t, otherOrganizationPaused, 0, time.Minute)
}

func TestADatabaseIsNotTakenOverWhileDeletionsWait(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		first := newEnvironment(t, database)
		ids := first.addCustomers(1)
		second := first.elsewhere(t)
		second.polar.AddCustomer(polartest.Customer{ExternalID: "somebody", CreatedAt: longAgo()})
		first.polar.SetFaultFunc(onlyDeletes(polartest.Gateway(503)))
		p := first.start(t)
		p.deliver(t, sign(t, "clerk", "msg_0", ids[0]), http.StatusAccepted)
		p.says(t, "deletion retried")
		second.bridge(t, 1, "rebind", "--because", "a mistake")
		first.bridge(t, 1, "rebind", "--because", "nothing to do")
		first.polar.ClearFaults()
		first.waitDeleted(t, ids, time.Minute)
		require.Eventually(t, func() bool { return waiting(first.jobs(t)) == 0 }, patience, 50*time.Millisecond)
		second.bridge(t, 0, "rebind", "--because", "the shop has moved")
	})
}

// What was tried in Polar's sandbox does not count as seen in production.
func TestASandboxTrialDoesNotCountInProduction(t *testing.T) {
	t.Parallel()
	trial := newEnvironment(t, databasetest.SQLite(t))
	production := trial.elsewhere(t)
	for _, env := range []*environment{trial, production} {
		env.addCustomers(1)
	}
	event := sign(t, "clerk", "msg_0", "user_0000")
	p := trial.start(t)
	p.deliver(t, event, http.StatusAccepted)
	trial.waitDeleted(t, []string{"user_0000"}, 20*time.Second)
	require.Eventually(t, func() bool { return waiting(trial.jobs(t)) == 0 }, patience, 50*time.Millisecond)
	require.Zero(t, p.terminate(t))
	production.bridge(t, 0, "rebind", "--because", "the trial is over")
	p = production.start(t)
	p.deliver(t, event, http.StatusAccepted)
	production.waitDeleted(t, []string{"user_0000"}, 20*time.Second)
	p.deliver(t, event, http.StatusOK)
}
