package providertest

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
)

// Case is one body and what is to become of it.
type Case struct {
	// Name is a sentence.
	Name string
	// Body is the raw body.
	Body string
	// Reason is why it is ignored or malformed.
	Reason string
	// IDField and Source replace the harness's when they are not empty.
	IDField string
	// Source is the configured instance or stream.
	Source string
}

// Cases returns a case for each body, by its name, all for the same reason.
func Cases[R ~string](reason R, bodies map[string]string) []Case {
	var cases []Case
	for name, body := range bodies {
		cases = append(cases, Case{Name: name, Body: body, Reason: string(reason)})
	}
	return cases
}

// UnusableTextKeys are secrets that no HMAC key may be that is used as it stands.
func UnusableTextKeys() []string {
	return []string{"15 bytes marker", " golden-secret-0123456789abcdeg", "golden-secret\x00-0123456789abcdeh"}
}

// Only returns the deletion of a delivery that p takes and that has no other.
func Only(t testing.TB, p provider.Provider, header http.Header, body []byte) event.Deletion {
	t.Helper()
	d, err := p.Receive(header, body)
	require.NoError(t, err)
	require.Len(t, d.Deletions, 1)
	return d.Deletions[0]
}
