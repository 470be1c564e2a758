package zitadel_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/identity/zitadel"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// The same texts stand in scripts/golden/own-hmac.mjs.
const (
	secret = "golden-secret-0123456789abcdef"
	other  = "other-secret-fedcba9876543210"
)

func TestZITADEL(t *testing.T) {
	t.Parallel()
	providertest.Run(t, harness())
}

// The requests are own computation in another language: ZITADEL publishes its
// signer as Go source only, which the module proxy does not serve.
func TestGoldenRequestsOfOwnComputationOnly(t *testing.T) {
	t.Parallel()
	providertest.Golden(t, harness(), "testdata")
}

func FuzzReceive(f *testing.F)  { providertest.Fuzz(f, harness()) }
func FuzzUnsigned(f *testing.F) { providertest.FuzzUnsigned(f, harness()) }

func TestTheActorIsNotTheUser(t *testing.T) {
	t.Parallel()
	d := receive(t, nil, `{"aggregateID":"1","aggregateType":"user","event_type":"user.removed","userID":"2"}`)
	require.Equal(t, "1", d.ExternalID)
	require.Equal(t, "1", d.UserID)
	d = receive(t, nil, `{"aggregateType":"user","event_type":"user.removed","userID":"2","resourceOwner":"3"}`)
	require.Empty(t, d.ExternalID)
	require.Equal(t, event.MissingID, d.UnusableID)
}

func TestEventTypesCanBeSet(t *testing.T) {
	t.Parallel()
	const removed = `{"aggregateID":"1","aggregateType":"user","event_type":"user.removed"}`
	types := []string{"user.gone", "user.removed.v2"}
	for _, name := range types {
		d := receive(t, types, strings.Replace(removed, "user.removed", name, 1))
		require.Equal(t, "1", d.ExternalID)
	}
	d, err := deliver(t, types, removed)
	require.NoError(t, err)
	require.Empty(t, d.Deletions, "the default is replaced")
	d, err = deliver(t, types, `{"aggregateID":"1","aggregateType":"org","event_type":"user.gone"}`)
	require.NoError(t, err)
	require.Empty(t, d.Deletions, "still only users")
}

func TestEventsAreKnownByTheirPlaceInTheEventStore(t *testing.T) {
	t.Parallel()
	const complete = `{"aggregateID":"1","aggregateType":"user","event_type":"user.removed","instanceID":"2","sequence":3}`
	require.Equal(t, "2/1/3", receive(t, nil, complete).EventID)
	seen := map[string]bool{}
	for _, changed := range []string{
		strings.Replace(complete, `"instanceID":"2"`, `"instanceID":""`, 1),
		strings.Replace(complete, `"instanceID":"2"`, `"instanceID":2`, 1),
		strings.Replace(complete, `"sequence":3`, `"sequence":"3"`, 1),
		strings.Replace(complete, `"sequence":3`, `"sequence":null`, 1),
		strings.Replace(complete, `,"sequence":3`, ``, 1),
		strings.Replace(complete, `"aggregateID":"1"`, `"aggregateID":1`, 1),
		strings.Replace(complete, `"aggregateID":"1"`, `"aggregateID":""`, 1),
	} {
		id := receive(t, nil, changed).EventID
		require.Regexp(t, `^sha256:[0-9a-f]{64}$`, id, "a part is missing, so the body decides")
		require.False(t, seen[id])
		seen[id] = true
	}
}

func harness() providertest.Harness {
	form := form()
	return providertest.Harness{
		Info:           zitadel.About(),
		New:            func(s provider.Settings) (provider.Provider, error) { return zitadel.New(s) },
		Sample:         zitadel.Sample,
		Secret:         secret,
		Other:          other,
		Unusable:       providertest.UnusableTextKeys(),
		DerivedEventID: true,
		Scheme: &providertest.Scheme{
			Headers: []string{form.Header}, Sign: form.SignHeader, Same: same, Tolerance: 5 * time.Minute, Unit: time.Second,
		},
		IDMember: "aggregateID",
		Body: func(members string) []byte {
			if members != "" {
				members += ","
			}
			return []byte(`{` + members + `"aggregateType":"user","resourceOwner":"org","instanceID":"instance","sequence":7,` +
				`"event_type":"user.removed","created_at":"2026-11-23T12:00:00Z","userID":"actor"}`)
		},
		Ignored:   ignored(),
		Malformed: malformed(),
		Golden:    []string{secret, other},
	}
}

func ignored() []providertest.Case {
	var cases []providertest.Case
	add := func(aggregate, name string) {
		cases = append(cases, providertest.Case{
			Name:   aggregate + " " + name,
			Body:   `{"aggregateID":"a","aggregateType":"` + aggregate + `","event_type":"` + name + `"}`,
			Reason: string(event.IgnoreOtherType),
		})
	}
	for _, name := range []string{
		"user.deactivated", "user.locked", "user.token.removed", "user.metadata.removed", "user.human.avatar.removed",
		"user.human.mfa.otp.removed", "user.idp.link.removed", "user.pat.removed", "user.removed.failed", "user.REMOVED", "",
	} {
		add("user", name)
	}
	for _, aggregate := range []string{"org", "project", "usergrant", "User", ""} {
		add(aggregate, "user.removed")
	}
	add("org", "org.removed")
	add("usergrant", "user.grant.removed")
	return append(cases,
		providertest.Case{Name: "a request execution", Body: `{"fullMethod":"/zitadel.user.v2.UserService/DeleteUser","instanceID":"1","userID":"2","request":{"userId":"3"}}`, Reason: string(event.IgnoreOtherType)},
		providertest.Case{Name: "names in another form", Body: `{"aggregateId":"a","aggregate_type":"user","eventType":"user.removed"}`, Reason: string(event.IgnoreOtherType)})
}

func malformed() []providertest.Case {
	return providertest.Cases(fault.ReasonBadType, map[string]string{
		"array":                  `[]`,
		"a JSON web token":       `"eyJhbGciOiJSUzI1NiJ9.e30.AAAA"`,
		"null":                   `null`,
		"integer type":           `{"event_type":5}`,
		"integer aggregate type": `{"aggregateType":5}`,
	})
}

func form() signature.TimedForm {
	return signature.TimedForm{Header: "Zitadel-Signature", Separator: ",", Unit: time.Second}
}

// same takes more signatures beside the genuine one, in any case.
func same(genuine, given string) bool {
	entries := strings.Split(strings.ReplaceAll(strings.ToLower(given), " ", ""), ",")
	for entry := range strings.SplitSeq(genuine, ",") {
		if !slices.Contains(entries, entry) {
			return false
		}
	}
	return true
}

func deliver(t *testing.T, types []string, body string) (event.Delivery, error) {
	t.Helper()
	p, err := zitadel.New(provider.Settings{Secrets: func() []string { return []string{secret} }, EventTypes: types})
	require.NoError(t, err)
	var header http.Header
	header, err = form().SignHeader(secret, time.Now(), []byte(body))
	require.NoError(t, err)
	return p.Receive(header, []byte(body))
}

// receive returns the only deletion in an authentic body.
func receive(t *testing.T, types []string, body string) event.Deletion {
	t.Helper()
	d, err := deliver(t, types, body)
	require.NoError(t, err)
	require.Len(t, d.Deletions, 1)
	return d.Deletions[0]
}
