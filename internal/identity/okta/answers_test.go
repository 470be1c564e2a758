package okta_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

func TestOktaIsAcknowledgedWithoutABody(t *testing.T) {
	t.Parallel()
	var p handlers.Acknowledger = newProvider(t)
	for _, receipt := range []event.Receipt{{}, {Accepted: 1}, {Duplicates: 2}, {Accepted: 1, Held: 1}} {
		status, body := p.Acknowledge(receipt)
		require.Equal(t, 200, status)
		require.Empty(t, body)
	}
}

func TestTheChallengeComesBack(t *testing.T) {
	t.Parallel()
	var p handlers.Challenger = newProvider(t)
	for value, want := range map[string]string{
		"Me_rShK8JHsTnbyYrWXCEoMGbM_zsZ6k0hLPZ_Pg": `{"verification":"Me_rShK8JHsTnbyYrWXCEoMGbM_zsZ6k0hLPZ_Pg"}`,
		`a"}b\`:                   `{"verification":"a\"}b\\"}`,
		" ~":                      `{"verification":" ~"}`, // the first and the last that print
		"<script>":                `{"verification":"\u003cscript\u003e"}`,
		strings.Repeat("a", 1024): `{"verification":"` + strings.Repeat("a", 1024) + `"}`,
	} {
		body, err := p.Challenge(http.Header{"Authorization": {token}, "X-Okta-Verification-Challenge": {value}})
		require.NoError(t, err)
		require.Equal(t, want, string(body))
	}
}

func TestAChallengeIsRefused(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	const name = "X-Okta-Verification-Challenge"
	tests := map[string]struct {
		header http.Header
		kind   fault.Kind
		reason string
	}{
		"no token":          {http.Header{name: {"a"}}, fault.Unauthenticated, fault.ReasonMissingHeader},
		"a wrong token":     {http.Header{name: {"a"}, "Authorization": {other}}, fault.Unauthenticated, fault.ReasonBadToken},
		"two tokens":        {http.Header{name: {"a"}, "Authorization": {token, token}}, fault.Unauthenticated, fault.ReasonRepeatedHeader},
		"nothing at all":    {http.Header{}, fault.Unauthenticated, fault.ReasonMissingHeader},
		"no challenge":      {http.Header{"Authorization": {token}}, fault.Malformed, fault.ReasonBadHeader},
		"an empty one":      {http.Header{name: {""}, "Authorization": {token}}, fault.Malformed, fault.ReasonBadHeader},
		"two challenges":    {http.Header{name: {"a", "a"}, "Authorization": {token}}, fault.Malformed, fault.ReasonBadHeader},
		"one that is long":  {http.Header{name: {strings.Repeat("a", 1025)}, "Authorization": {token}}, fault.Malformed, fault.ReasonBadHeader},
		"a tab":             {http.Header{name: {"a\tb"}, "Authorization": {token}}, fault.Malformed, fault.ReasonBadHeader},
		"a line break":      {http.Header{name: {"a\nb"}, "Authorization": {token}}, fault.Malformed, fault.ReasonBadHeader},
		"a delete":          {http.Header{name: {"a\x7f"}, "Authorization": {token}}, fault.Malformed, fault.ReasonBadHeader},
		"bytes beyond 7bit": {http.Header{name: {"a\xff"}, "Authorization": {token}}, fault.Malformed, fault.ReasonBadHeader},
	}
	for name, tt := range tests {
		body, err := p.Challenge(tt.header)
		require.Empty(t, body, name)
		require.Equal(t, tt.kind, fault.KindOf(err), name)
		require.Equal(t, tt.reason, fault.ReasonOf(err), name)
		require.NotContains(t, err.Error(), token)
	}
}
