package e2e_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// What becomes of a delivery.
const (
	isDeleted = "deleted"
	isHeld    = "held"
	isIgnored = "ignored"
	isRefused = "malformed" // 400
)

// reported is a delivery as somebody described it in public or as a provider's
// source makes it, and the right outcome. In its body, GONE is an id of a customer;
// LIVES and ALIAS are those of two others, who must stay.
type reported struct {
	Name    string          `json:"name"`
	Outcome string          `json:"outcome"`
	Event   json.RawMessage `json:"event"`
	Text    string          `json:"text"` // instead of an event that is one JSON value
}

// reports reads the provider's testdata/NAME/reports.json.
func reports(t *testing.T, e *provider.Spec) []reported {
	t.Helper()
	raw, err := os.ReadFile("../internal/provider/testdata/" + e.Name + "/reports.json")
	require.NoError(t, err)
	var file struct {
		Source  string     `json:"source"`
		Reports []reported `json:"reports"`
	}
	require.NoError(t, json.Unmarshal(raw, &file))
	require.NotEmpty(t, file.Source)
	require.NotEmpty(t, file.Reports)
	return file.Reports
}

// What a provider has been seen to send becomes what it means, in the real
// program, one process for each provider.
func TestReportedDeliveries(t *testing.T) {
	t.Parallel()
	for _, e := range everyProvider() {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			playReports(t, e, reports(t, e))
		})
	}
}

func playReports(t *testing.T, e *provider.Spec, reports []reported) {
	t.Helper()
	s := senderOf(t, e)
	env := newProviderEnvironment(t, e, s)
	before := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) // all the events
	for _, id := range []string{"LIVES", "ALIAS"} {
		env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: before})
	}
	var leave []string
	for _, r := range reports {
		env.polar.AddCustomer(polartest.Customer{ExternalID: r.user(), CreatedAt: before})
		if r.Outcome == isDeleted {
			leave = append(leave, r.user())
		}
	}
	p := env.start(t)
	outcomes := map[string]int{}
	for _, r := range reports {
		header, body := s.sign(t, s.secret, time.Now(), []byte(strings.ReplaceAll(cmp.Or(r.Text, string(r.Event)), "GONE", r.user())))
		status, answer := p.post(t.Context(), http.DefaultClient, delivery{e.Name, header, body})
		require.Equal(t, r.Outcome == isRefused, status == http.StatusBadRequest, "%s: %d %s", r.Name, status, answer)
		require.Contains(t, []int{http.StatusOK, http.StatusAccepted, http.StatusBadRequest}, status, "%s: %s", r.Name, answer)
		outcomes[r.Outcome]++
	}
	env.waitDeleted(t, leave, 30*time.Second)
	for outcome, n := range map[string]int{
		"accepted": outcomes[isDeleted] + outcomes[isHeld], "ignored": outcomes[isIgnored], "malformed": outcomes[isRefused], "duplicate": 0,
	} {
		p.waitMetric(t, fmt.Sprintf(`polar_bridge_webhooks_total{outcome=%q,provider=%q}`, outcome, e.Name), float64(n), 10*time.Second)
	}
	p.waitMetric(t, fmt.Sprintf(`polar_bridge_deletions_held_total{provider=%q,reason="unusable_id"}`, e.Name), float64(outcomes[isHeld]), 10*time.Second)
	require.Equal(t, len(leave), env.deletes(), "%+v", env.journal())
	for _, id := range []string{"LIVES", "ALIAS"} {
		require.True(t, env.polar.Exists(id), id)
	}
	for _, r := range reports {
		require.Equal(t, r.Outcome != isDeleted, env.polar.Exists(r.user()), r.Name)
	}
}

// user is an id of this case's own.
func (r reported) user() string { return "user: " + strings.ReplaceAll(r.Name, "/", " ") }
