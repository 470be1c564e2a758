package providertest

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// issuers answer for the addresses at which providers publish their keys.
type issuers struct {
	private map[string]string // address to private key
	sets    map[string][]byte // host to key set
}

// newIssuers makes a key for each of the addresses, and publishes at the golden ones
// the key set that stands in the folder, if there is one.
func newIssuers(tb testing.TB, addresses, golden []string, folder string) issuers {
	tb.Helper()
	all := issuers{private: map[string]string{}, sets: map[string][]byte{}}
	for _, address := range addresses {
		private, set, err := signature.NewSigningKey()
		require.NoError(tb, err)
		all.private[address], all.sets[host(tb, address)] = private, set
	}
	set, err := os.ReadFile(filepath.Join(folder, "jwks.json")) //nolint:gosec // a test's own file
	if err != nil {
		return all
	}
	for _, address := range golden {
		all.sets[host(tb, address)] = set
	}
	return all
}

func isAddress(secret string) bool { return strings.HasPrefix(secret, "https://") }

func host(tb testing.TB, address string) string {
	tb.Helper()
	u, err := url.Parse(address)
	require.NoError(tb, err)
	return u.Host
}

// RoundTrip implements http.RoundTripper.
func (i issuers) RoundTrip(r *http.Request) (*http.Response, error) {
	set, ok := i.sets[r.URL.Host]
	if !ok || r.URL.Scheme != "https" || !strings.Contains(r.URL.Path, "jwks") {
		return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody, Request: r}, nil
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(set)), Request: r}, nil
}
