package provider_test

import (
	"net/http"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// ofSvix returns the providers whose deliveries Svix or its specification signs.
func ofSvix(t *testing.T) []*sender {
	t.Helper()
	var senders []*sender
	for _, s := range all() {
		if _, ok := s.Scheme.(*signature.Svix); ok {
			senders = append(senders, enabled(t, s.Name, s.EnabledBy, svixKey, "unused", otherSvix))
		}
	}
	require.GreaterOrEqual(t, len(senders), 3)
	return senders
}

func TestOfficialLibrariesVerifyOurSamples(t *testing.T) {
	t.Parallel()
	bySvix, err := svix.NewWebhook(svixKey)
	require.NoError(t, err)
	byStandard, err := standardwebhooks.NewWebhook(svixKey)
	require.NoError(t, err)
	for _, s := range ofSvix(t) {
		header, body := s.sample(t, "user_1", "msg_1")
		verifiers := []func([]byte, http.Header) error{bySvix.Verify}
		if header.Get("Webhook-Id") != "" {
			verifiers = append(verifiers, byStandard.Verify)
		}
		for _, verify := range verifiers {
			require.NoError(t, verify(body, header))
			require.Error(t, verify(append(body, ' '), header))
		}
	}
}

func TestDeliveriesOfOfficialSignersAreTaken(t *testing.T) {
	t.Parallel()
	bySvix, err := svix.NewWebhook(svixKey)
	require.NoError(t, err)
	byStandard, err := standardwebhooks.NewWebhook(svixKey)
	require.NoError(t, err)
	for _, s := range ofSvix(t) {
		require.NoError(t, s.Scheme.SetKeys([]string{otherSvix, svixKey}))
		for _, sign := range []func(string, time.Time, []byte) (string, error){bySvix.Sign, byStandard.Sign} {
			header, body := s.sample(t, "user_1", "msg_1")
			signed, err := sign("msg_1", time.Now(), body)
			require.NoError(t, err)
			for name := range header {
				if name == "Svix-Signature" || name == "Webhook-Signature" {
					header.Set(name, signed)
				}
			}
			d, err := s.Receive(header, body)
			require.NoError(t, err)
			require.Equal(t, "user_1", d.Deletions[0].ExternalID)
			require.Equal(t, "msg_1", d.Deletions[0].EventID, "the signed id, and not one in the body")
		}
	}
}
