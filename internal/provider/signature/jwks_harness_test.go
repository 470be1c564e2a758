package signature_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const issuerAddress = "https://issuer.example.com"

// fakeIssuer answers for an issuer and lets its clock be moved.
type fakeIssuer struct {
	mu      sync.Mutex
	now     time.Time
	set     []byte
	answer  func(*http.Request) (*http.Response, error) // instead of set
	fetches int
}

func newIssuer(set []byte) *fakeIssuer {
	return &fakeIssuer{now: time.Unix(1_800_000_000, 0), set: set}
}

// RoundTrip implements http.RoundTripper.
func (i *fakeIssuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.fetches++
	answer, set := i.answer, i.set
	i.mu.Unlock()
	if answer != nil {
		return answer(r)
	}
	return respond(http.StatusOK, string(set))(r)
}

func (i *fakeIssuer) clock() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.now
}

func (i *fakeIssuer) step(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.now = i.now.Add(d)
}

func (i *fakeIssuer) publish(set []byte) { i.become(set, nil) }

func (i *fakeIssuer) become(set []byte, answer func(*http.Request) (*http.Response, error)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.set, i.answer = set, answer
}

// fetched returns how many requests came since it was asked last.
func (i *fakeIssuer) fetched() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := i.fetches
	i.fetches = 0
	return n
}

func (i *fakeIssuer) options() signature.JWKS {
	return signature.JWKS{
		Paths: []string{"/keys"}, Algorithms: []string{"RS256"}, MaxToken: signature.MaxHeaderToken, Now: i.clock, Transport: i,
	}
}

func (i *fakeIssuer) verifier(tb testing.TB) *signature.JWT {
	tb.Helper()
	return with(tb, signature.NewIssuerJWT(i.options()), issuerAddress)
}

func respond(status int, body string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(body))), Request: r}, nil
	}
}

var errAway = errors.New("away")

func away(*http.Request) (*http.Response, error) { return nil, errAway }

// signer is a key that an issuer may publish.
type signer struct {
	private string
	set     []byte
	token   string // signed with it
}

func newSigner(tb testing.TB) signer {
	tb.Helper()
	private, set, err := signature.NewSigningKey()
	require.NoError(tb, err)
	token, err := signature.SignJWT(private, []byte(`{"a":1}`))
	require.NoError(tb, err)
	return signer{private, set, token}
}

func requireVerified(tb testing.TB, v *signature.JWT, token string) {
	tb.Helper()
	got, err := v.VerifyToken(token)
	require.NoError(tb, err)
	require.Equal(tb, signature.Message{Type: "JWT", Payload: []byte(`{"a":1}`)}, got)
}

func requireRefused(tb testing.TB, v *signature.JWT, token string, kind fault.Kind, reason fault.Reason) {
	tb.Helper()
	got, err := v.VerifyToken(token)
	require.Equal(tb, kind, fault.KindOf(err))
	require.Equal(tb, reason, fault.ReasonOf(err))
	require.Zero(tb, got)
	require.NotContains(tb, err.Error(), "example.com")
}

// requireUnknown requires 401: the keys are known and none of them signed.
func requireUnknown(tb testing.TB, v *signature.JWT, token string) {
	tb.Helper()
	requireRefused(tb, v, token, fault.Unauthenticated, fault.ReasonBadSignature)
}

// requireUnavailable requires 503: the keys are not known.
func requireUnavailable(tb testing.TB, v *signature.JWT, token string) {
	tb.Helper()
	requireRefused(tb, v, token, fault.Unavailable, fault.ReasonKeys)
}
