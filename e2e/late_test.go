package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// signedAt is a deletion that Clerk has told of at the time.
func signedAt(t *testing.T, eventID, externalID string, at time.Time) delivery {
	t.Helper()
	clerk, _ := everyProvider().Lookup("clerk")
	header, body, err := clerk.Sample(clerkKey, provider.Sample{ExternalID: externalID, EventID: eventID, Time: at})
	require.NoError(t, err)
	return delivery{"clerk", header, body}
}

// forwarded is a delivery as Hookdeck leaves it.
func (d delivery) forwarded(secret string) delivery {
	header := d.header.Clone()
	header.Set("X-Hookdeck-Signature", providertest.GatewaySignature(secret, d.body))
	return delivery{d.provider, header, d.body}
}

func TestAGatewayRepeatsForDaysWhatTheProviderHasSignedOnce(t *testing.T) {
	t.Parallel()
	const secret, next = "marker-secret-of-the-gateway-01", "marker-secret-of-the-gateway-02"
	file := filepath.Join(t.TempDir(), "gateway")
	require.NoError(t, os.WriteFile(file, []byte(secret), 0o600))
	env := newEnvironment(t, databasetest.SQLite(t), "WEBHOOK_GATEWAY=hookdeck", "WEBHOOK_GATEWAY_SECRET_FILE="+file)
	env.addCustomers(3)
	env.polar.AddCustomer(polartest.Customer{ExternalID: "user_back", CreatedAt: time.Now().Add(-24 * time.Hour)})
	p := env.start(t)
	late := signedAt(t, "msg_late", "user_0000", time.Now().Add(-3*24*time.Hour))
	p.deliver(t, late, http.StatusUnauthorized)
	p.deliver(t, late.forwarded(next), http.StatusUnauthorized)
	p.says(t, `"reason":"bad_signature","headers":["X-Hookdeck-Signature"]`)
	p.deliver(t, signedAt(t, "msg_old", "user_0000", time.Now().Add(-8*24*time.Hour)).forwarded(secret), http.StatusUnauthorized)
	forged := late.forwarded(secret)
	forged.header.Set("Svix-Id", "msg_another")
	p.deliver(t, forged, http.StatusUnauthorized)
	require.Zero(t, env.deletes())

	p.deliver(t, late.forwarded(secret), http.StatusAccepted)
	p.deliver(t, late.forwarded(secret), http.StatusOK) // a replay
	env.waitDeleted(t, []string{"user_0000"}, 20*time.Second)
	p.says(t, `"gateway":"needed"`)
	p.deliver(t, sign(t, "clerk", "msg_early", "user_0001").forwarded(secret), http.StatusAccepted)
	p.deliver(t, sign(t, "clerk", "msg_wrong", "user_0002").forwarded(next), http.StatusAccepted)
	env.waitDeleted(t, []string{"user_0000", "user_0001", "user_0002"}, 20*time.Second)
	for result, want := range map[string]float64{"needed": 2, "matched": 1, "mismatched": 1} {
		p.waitMetric(t, `polar_bridge_gateway_signatures_total{result="`+result+`"}`, want, 20*time.Second)
	}

	// Somebody who was deleted three days ago, which only the signature says, and has
	// signed up again since.
	back := signBody(t, "msg_back", `{"object":"event","type":"user.deleted","data":{"object":"user","id":"user_back","deleted":true}}`, time.Now().Add(-3*24*time.Hour))
	p.deliver(t, back.forwarded(secret), http.StatusAccepted)
	p.waitMetric(t, held("clerk", "recreated"), 1, 20*time.Second)
	require.Equal(t, 3, env.deletes())

	require.NoError(t, os.WriteFile(file, []byte(next), 0o600))
	require.Eventually(t, func() bool {
		status, _ := p.post(t.Context(), http.DefaultClient, late.forwarded(next))
		return status == http.StatusOK
	}, patience, 200*time.Millisecond)
	p.deliver(t, late.forwarded(secret), http.StatusUnauthorized)
	p.noSecrets(t)
}
