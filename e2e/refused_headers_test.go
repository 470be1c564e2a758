package e2e_test

import (
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

func TestTheLogNamesTheHeadersThatAreWrong(t *testing.T) {
	t.Parallel()
	p := newEnvironment(t, databasetest.SQLite(t)).start(t)
	tests := []struct {
		reason, header string
		change         func(h http.Header)
	}{
		{"missing_header", "Svix-Timestamp", func(h http.Header) { h.Del("Svix-Timestamp") }},
		{"repeated_header", "Svix-Signature", func(h http.Header) { h.Add("Svix-Signature", "marker-secret") }},
		{"bad_header", "Svix-Id", func(h http.Header) { h.Set("Svix-Id", "marker.secret") }},
		{"stale", "Svix-Timestamp", func(h http.Header) { h.Set("Svix-Timestamp", "1600000000") }},
		{"future", "Svix-Timestamp", func(h http.Header) { h.Set("Svix-Timestamp", "4600000000") }},
	}
	for _, tt := range tests {
		d := clerkSigned(t, clerkKey, "1")
		tt.change(d.header)
		p.deliver(t, d, 401)
		line := regexp.MustCompile(`"msg":"webhook received","provider":"clerk","outcome":"unauthenticated",[^\n]*"reason":"` + tt.reason + `","headers":\["` + tt.header + `"\]`)
		require.Eventually(t, func() bool { return line.MatchString(p.output()) }, patience, 5*time.Millisecond, tt.reason)
	}
	require.NotContains(t, p.output(), "marker.secret")
}
