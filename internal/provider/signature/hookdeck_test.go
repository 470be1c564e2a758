package signature_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// The signature was made by openssl dgst -sha256 -hmac.
func TestHookdeck(t *testing.T) {
	t.Parallel()
	const body, made = `{"type":"user.deleted"}`, "7ZNd2F+MQdw/WyelsC+pczKvPs3BHJ21YW8pehjNskU="
	scheme := signature.NewHookdeck()
	require.NoError(t, scheme.SetKeys([]string{"gateway-secret-0123456789abcdef"}))
	verify := func(value, body string) error {
		_, err := scheme.Verify(http.Header{"X-Hookdeck-Signature": {value}}, []byte(body))
		return err
	}
	require.NoError(t, verify(made, body))
	require.ErrorContains(t, verify(made, body+" "), "is by no configured secret")
	require.ErrorContains(t, verify(strings.Repeat("A", 44), body), "is not a SHA-256 in base64")
	require.ErrorContains(t, verify(strings.Repeat("A", 1<<20), body), "has 1048576 bytes", "without decoding it")
}
