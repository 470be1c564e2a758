package logto_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/logto"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// The same texts stand in scripts/golden/own-hmac.mjs.
const (
	secret = "golden-secret-0123456789abcdef"
	other  = "other-secret-fedcba9876543210"
	header = "Logto-Signature-Sha-256"
)

var _ handlers.Acknowledger = (*logto.Provider)(nil)

func TestLogto(t *testing.T) {
	t.Parallel()
	providertest.Run(t, harness())
}

func TestLogtoWithTheIDInData(t *testing.T) {
	t.Parallel()
	providertest.Run(t, dataHarness())
}

// The requests are own computation in another language: Logto publishes no
// signer. The MAC itself is compared with Logto's own unit test in package sig.
func TestGoldenRequestsOfOwnComputationOnly(t *testing.T) {
	t.Parallel()
	providertest.Golden(t, harness(), "testdata")
}

func FuzzReceive(f *testing.F)     { providertest.Fuzz(f, harness()) }
func FuzzReceiveData(f *testing.F) { providertest.Fuzz(f, dataHarness()) }
func FuzzUnsigned(f *testing.F)    { providertest.FuzzUnsigned(f, harness()) }

func TestLogtoWantsStatus200(t *testing.T) {
	t.Parallel()
	p, err := logto.New(provider.Settings{Secrets: func() []string { return []string{secret} }})
	require.NoError(t, err)
	status, answer := p.Acknowledge(event.Receipt{Accepted: 1})
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, answer)
}

func TestTheBodyIdentifiesTheEvent(t *testing.T) {
	t.Parallel()
	const body = `{"event":"User.Deleted","createdAt":"2026-01-01T00:00:00.000Z","params":{"userId":"a"}}`
	first := receive(t, body)
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, first.EventID)
	require.Equal(t, first.EventID, receive(t, body).EventID)
	require.NotEqual(t, first.EventID, receive(t, strings.Replace(body, "00.000Z", "00.001Z", 1)).EventID)
}

func TestWhichIDIsTaken(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, members, want, unusable string }{
		{"only the parameter", `"params":{"userId":"a"}`, "a", ""},
		{"data is null", `"params":{"userId":"a"},"data":null`, "a", ""},
		{"data has no id", `"params":{"userId":"a"},"data":{"result":"success"}`, "a", ""},
		{"data is no object", `"params":{"userId":"a"},"data":["b"]`, "a", ""},
		{"data has an id of another type", `"params":{"userId":"a"},"data":{"id":5}`, "a", ""},
		{"both agree", `"params":{"userId":"a"},"data":{"id":"a"}`, "a", ""},
		{"both disagree", `"params":{"userId":"a"},"data":{"id":"b"}`, "", `"a"`},
		{"the parameter is not usable", `"params":{"userId":".."},"data":{"id":"b"}`, "", `".."`},
		{"no parameters", `"data":{"id":"b"}`, "b", ""},
		{"the parameter is null", `"params":{"userId":null},"data":{"id":"b"}`, "b", ""},
		{"neither", `"params":{"id":"c"},"data":{"userId":"d"},"userId":"e"`, "", event.MissingID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := receive(t, `{"event":"User.Deleted",`+tt.members+`}`)
			require.Equal(t, tt.want, d.ExternalID)
			require.Equal(t, tt.want, d.UserID)
			require.Equal(t, tt.unusable, d.UnusableID)
		})
	}
}

func harness() providertest.Harness {
	return providertest.Harness{
		Info:           logto.About(),
		New:            func(s provider.Settings) (provider.Provider, error) { return logto.New(s) },
		Sample:         logto.Sample,
		Secret:         secret,
		Other:          other,
		Unusable:       providertest.UnusableTextKeys(),
		DerivedEventID: true,
		Scheme: &providertest.Scheme{
			Headers: []string{header},
			Sign: func(secret string, _ time.Time, body []byte) (http.Header, error) {
				return signature.PlainHMACHeader(header, secret, body)
			},
			Same: strings.EqualFold,
		},
		IDMember: "userId",
		Body: func(members string) []byte {
			return []byte(`{"hookId":"h","event":"User.Deleted","createdAt":"2026-11-23T12:00:00.000Z","path":"/users/x","method":"DELETE",` +
				`"status":204,"params":{` + members + `},"matchedRoute":"/users/:userId","data":null}`)
		},
		Ignored:   ignored(),
		Malformed: malformed(),
		Golden:    []string{secret, other},
	}
}

func dataHarness() providertest.Harness {
	h := harness()
	h.IDMember = "id"
	h.Body = func(members string) []byte {
		return []byte(`{"event":"User.Deleted","status":200,"params":{},"data":{` + members + `}}`)
	}
	return h
}

func ignored() []providertest.Case {
	const rest = `"createdAt":"2026-11-23T12:00:00.000Z","params":{"userId":"a"},"data":{"id":"a"}}`
	var cases []providertest.Case
	for _, name := range []string{
		"User.Created", "User.Data.Updated", "User.SuspensionStatus.Updated", "Role.Deleted", "Scope.Deleted", "Organization.Deleted",
		"PostSignIn", "PostRegister", "Identifier.Lockout", "user.deleted", "User.Deleted ", "User.Deleted.Failed", "",
	} {
		cases = append(cases, providertest.Case{Name: name, Body: `{"event":"` + name + `",` + rest, Reason: string(event.IgnoreOtherType)})
	}
	for _, status := range []string{"400", "404", "422", "500"} {
		cases = append(cases, providertest.Case{Name: "a call that failed with " + status, Body: `{"event":"User.Deleted","status":` + status + `,` + rest, Reason: string(event.IgnoreOtherType)})
	}
	return append(cases,
		providertest.Case{Name: "the console's test", Body: `{"event":"User.Deleted","path":"/fake-path/:id","method":"POST","status":200,"params":{"id":"fake-id"},"data":{"result":"success"}}`, Reason: string(event.IgnoreTestEvent)},
		providertest.Case{Name: "a test that names a user", Body: `{"event":"User.Deleted","path":"/fake-path/:id","params":{"userId":"a"}}`, Reason: string(event.IgnoreTestEvent)})
}

func malformed() []providertest.Case {
	return providertest.Cases(fault.ReasonBadType, map[string]string{
		"array":         `[]`,
		"string":        `"User.Deleted"`,
		"null":          `null`,
		"integer event": `{"event":5}`,
		"text status":   `{"event":"User.Deleted","status":"204","params":{"userId":"a"}}`,
		"integer path":  `{"event":"User.Deleted","path":1,"params":{"userId":"a"}}`,
	})
}

// receive returns the only deletion in an authentic body.
func receive(t *testing.T, body string) event.Deletion {
	t.Helper()
	p, err := logto.New(provider.Settings{Secrets: func() []string { return []string{secret} }})
	require.NoError(t, err)
	h, err := signature.PlainHMACHeader(header, secret, []byte(body))
	require.NoError(t, err)
	return providertest.Only(t, p, h, []byte(body))
}
