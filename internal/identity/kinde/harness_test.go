package kinde_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/kinde"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	issuer      = "https://shop.kinde.com"
	otherIssuer = "https://other.kinde.com"
)

// issuers answers for the issuers of a test, by their host.
type issuers struct {
	private map[string]string // issuer to private key
	sets    map[string][]byte // host to key set
}

func newIssuers(tb testing.TB) *issuers {
	tb.Helper()
	all := &issuers{private: map[string]string{}, sets: map[string][]byte{}}
	for address, host := range map[string]string{issuer: "shop.kinde.com", otherIssuer: "other.kinde.com"} {
		private, set, err := signature.NewSigningKey()
		require.NoError(tb, err)
		all.private[address], all.sets[host] = private, set
	}
	return all
}

// RoundTrip implements http.RoundTripper.
func (i *issuers) RoundTrip(r *http.Request) (*http.Response, error) {
	set, ok := i.sets[r.URL.Host]
	if r.URL.Scheme != "https" || r.URL.Path != "/.well-known/jwks.json" || !ok {
		return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody, Request: r}, nil
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(set)), Request: r}, nil
}

func (i *issuers) open(s provider.Settings) (provider.Provider, error) {
	s.Transport = i
	return kinde.New(s)
}

// sample signs as the issuer would.
func (i *issuers) sample(address string, s provider.Sample) (http.Header, []byte, error) {
	return kinde.Sample(i.private[address], s)
}

func (i *issuers) sign(address string, claims []byte) ([]byte, error) {
	token, err := signature.SignJWT(i.private[address], claims)
	return []byte(token), err
}

func harness(tb testing.TB) providertest.Harness {
	tb.Helper()
	all := newIssuers(tb)
	return providertest.Harness{
		Info:   kinde.About(),
		New:    all.open,
		Sample: all.sample,
		Secret: issuer,
		Other:  otherIssuer,
		Unusable: []string{
			"http://marker.kinde.com", "https:///", "marker.kinde.com", "ftp://marker.kinde.com", "https://user:marker@kinde.com",
			"https://marker.kinde.com?a=b", "https://marker.kinde.com?", "https://marker.kinde.com#", "https://marker .kinde.com", "https:marker",
			"http://127.0.0.1.marker.com", "http://localhost.marker.com", "https://[::1%25marker",
		},
		Scheme: &providertest.Scheme{
			Sign: func(string, time.Time, []byte) (http.Header, error) {
				return http.Header{"Content-Type": {"application/jwt"}}, nil
			},
			Wrap: all.sign,
		},
		IDMember: "id",
		Body: func(members string) []byte {
			return []byte(`{"type":"user.deleted","event_id":"event_1","timestamp":"2026-11-23T11:59:59.5Z","source":"user","data":{"user":{` + members + `}}}`)
		},
		Ignored:   ignored(),
		Malformed: malformed(),
	}
}

func ignored() []providertest.Case {
	return providertest.Cases(event.IgnoreOtherType, map[string]string{
		"another type":                 `{"type":"user.updated","event_id":"e","data":{"user":{"id":"a"}}}`,
		"another type with other data": `{"type":"role.deleted","event_id":"e","data":[1]}`,
		"type in other case":           `{"type":"User.Deleted","event_id":"e","data":{"user":{"id":"a"}}}`,
		"type with a blank":            `{"type":"user.deleted ","event_id":"e","data":{"user":{"id":"a"}}}`,
		"an organization":              `{"type":"organization.deleted","event_id":"e","data":{"organization":{"code":"a"},"user":{"id":"a"}}}`,
	})
}

func malformed() []providertest.Case {
	return providertest.Cases(fault.ReasonBadType, map[string]string{
		"array":            `[]`,
		"null":             `null`,
		"string":           `"user.deleted"`,
		"integer type":     `{"type":5}`,
		"integer event id": `{"type":"user.deleted","event_id":5,"data":{"user":{"id":"a"}}}`,
		"data is a list":   `{"type":"user.deleted","event_id":"e","data":[]}`,
		"data is a string": `{"type":"user.deleted","event_id":"e","data":"user"}`,
		"user is a string": `{"type":"user.deleted","event_id":"e","data":{"user":"a"}}`,
	})
}

// claims returns those of an event with changes; a nil value takes one away.
func claims(t *testing.T, changes map[string]any) []byte {
	t.Helper()
	all := map[string]any{
		"type": "user.deleted", "event_id": "event_1", "timestamp": "2026-11-23T12:00:00Z",
		"data": map[string]any{"user": map[string]any{"id": "kp_1"}},
	}
	for name, value := range changes {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	encoded, err := json.Marshal(all)
	require.NoError(t, err)
	return encoded
}
