package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// The send command and the server have the same settings. Providers that
// publish their keys do so at an address of this machine, where send publishes
// its own meanwhile.
func TestSendWorksForEveryProvider(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	env.settings["AUTH0_LOGS_UNCONFIRMED"] = "true"
	for _, e := range everyProvider() {
		env.settings[e.EnabledBy] = sendSecret(t, e)
	}
	p := env.start(t)
	var ids []string
	for _, e := range everyProvider() {
		id := "polar-bridge-test-" + e.Name
		ids = append(ids, id)
		env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: time.Unix(1_500_000_000, 0)})
		for range 2 {
			require.Regexp(t, `"provider":"`+e.Name+`".*"status":20[02]`, env.send(t, p, e.Name, id))
		}
	}
	env.waitDeleted(t, ids, 20*time.Second)
	for _, e := range everyProvider() {
		want := []float64{1, 1}
		if e.Name == "logto" || e.Name == "supabase" { // whose events are known by their body, and that has the time in it
			want = []float64{2, 0}
		}
		for i, outcome := range []string{"accepted", "duplicate"} {
			require.InDelta(t, want[i], p.metric(t, fmt.Sprintf(`polar_bridge_events_total{outcome=%q,provider=%q}`, outcome, e.Name)), 0, "%s %s", e.Name, outcome)
		}
	}
	require.Equal(t, 0, p.terminate(t))
	for _, id := range ids {
		require.Equal(t, 1, env.polar.Deleted(id), id)
	}
}

// send posts a deletion to the process and returns what is printed.
func (env *environment) send(t *testing.T, p *process, provider, id string) string {
	t.Helper()
	command := exec.Command(os.Getenv(binaryVariable), "send", provider, "--url", p.webhooks, "--external-id", id, "--yes", "--event-id", "evt_"+provider, "--json")
	for name, value := range env.settings {
		command.Env = append(command.Env, name+"="+value)
	}
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s: %s", provider, out)
	return string(out)
}

// sendSecret returns a value that the provider's setting may have.
func sendSecret(t *testing.T, e *provider.Spec) string {
	t.Helper()
	for _, value := range []string{senderToken, clerkKey} {
		if e.Scheme.CheckKey(value) == nil {
			return value
		}
	}
	address := "http://" + freeAddress(t)
	require.NoError(t, e.Scheme.CheckKey(address), e.Name)
	return address
}
