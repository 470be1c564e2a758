package standard_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/identity/standard"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

func TestStandard(t *testing.T) {
	t.Parallel()
	providertest.Run(t, harness())
}

func TestStandardWithSvixHeaders(t *testing.T) {
	t.Parallel()
	providertest.Run(t, svixHarness())
}

func TestStandardWithEd25519(t *testing.T) {
	t.Parallel()
	providertest.Run(t, ed25519Harness())
}

func TestStandardWithOtherFields(t *testing.T) {
	t.Parallel()
	providertest.Run(t, otherFieldsHarness())
}

func TestGoldenRequests(t *testing.T) {
	t.Parallel()
	providertest.Golden(t, harness(), "testdata")
}

func TestGoldenRequestsOfPrivy(t *testing.T) {
	t.Parallel()
	h := harness()
	h.IDField = "/user/id"
	providertest.Golden(t, h, "testdata/privy")
}

func FuzzReceive(f *testing.F) { providertest.Fuzz(f, harness()) }

func FuzzUnsigned(f *testing.F) { providertest.FuzzUnsigned(f, harness()) }

func FuzzUnsignedEd25519(f *testing.F) { providertest.FuzzUnsigned(f, ed25519Harness()) }

func TestSamplePassesTheOfficialVerifiers(t *testing.T) {
	t.Parallel()
	header, body, err := standard.Sample(secret, provider.Sample{ExternalID: "user_1", EventID: "msg_1", Time: time.Now()})
	require.NoError(t, err)
	bySvix, err := svix.NewWebhook(secret)
	require.NoError(t, err)
	byStandard, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	for _, verify := range []func([]byte, http.Header) error{bySvix.Verify, byStandard.Verify} {
		require.NoError(t, verify(body, header))
		require.Error(t, verify(append(body, ' '), header))
	}
}

func TestAPublicKeyCannotSignASample(t *testing.T) {
	t.Parallel()
	_, _, err := standard.Sample(public, provider.Sample{ExternalID: "user_1", EventID: "msg_1", Time: time.Now()})
	require.ErrorContains(t, err, "can only verify")
}

func TestBothHeaderSetsAreTakenByTheSameProvider(t *testing.T) {
	t.Parallel()
	p := newProvider(t, provider.Settings{Secrets: values(secret)})
	for _, set := range []signature.HeaderSet{signature.StandardHeaders(), signature.SvixHeaders()} {
		body := deletion(`"id":"a"`)
		header, err := signature.SvixHeader(set, secret, "msg_1", time.Now(), body)
		require.NoError(t, err)
		require.NoError(t, p.CheckHeader(header))
		d, err := p.Receive(header, body)
		require.NoError(t, err)
		require.Equal(t, "msg_1", d.Deletions[0].EventID)
	}
}

func TestSeveralTypesMayMeanADeletion(t *testing.T) {
	t.Parallel()
	settings := provider.Settings{Secrets: values(secret), EventTypes: []string{"user.deleted", "account.purged"}}
	for name, want := range map[string]int{
		"user.deleted": 1, "account.purged": 1, "user.deleted,account.purged": 0, "account.purged2": 0, "Account.purged": 0, "": 0,
	} {
		d := receive(t, settings, `{"type":"`+name+`","data":{"id":"a"}}`)
		require.Len(t, d.Deletions, want, name)
	}
}

func TestFieldsDeepInsideAndWithEscapes(t *testing.T) {
	t.Parallel()
	settings := provider.Settings{Secrets: values(secret), TypeField: "/meta/event~1type", IDField: "/items/0/user~0id"}
	d := receive(t, settings, `{"meta":{"event/type":"user.deleted"},"items":[{"user~id":"a"},{"user~id":"b"}],"type":"x","data":{"id":"c"}}`)
	require.Equal(t, "a", d.Deletions[0].ExternalID)
	// One that is not there is held, whatever stands in its way.
	for _, items := range []string{`null`, `[]`, `"x"`, `{"1":{"user~id":"b"}}`, `[[{"user~id":"b"}]]`} {
		d := receive(t, settings, `{"meta":{"event/type":"user.deleted"},"items":`+items+`}`)
		require.Equal(t, event.MissingID, d.Deletions[0].UnusableID, items)
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	t.Parallel()
	for want, settings := range map[string]provider.Settings{
		"STANDARD_EVENT_TYPES must not have an empty type in it":      {EventTypes: []string{"user.deleted", ""}},
		"STANDARD_TYPE_FIELD must be a JSON pointer such as /type":    {TypeField: "type"},
		"STANDARD_ID_FIELD must be a JSON pointer such as /data/id":   {IDField: "/data/~2"},
		"STANDARD_ID_FIELD must not overlap with STANDARD_TYPE_FIELD": {IDField: "/type"},
		"STANDARD_WEBHOOK_SECRET is required":                         {},
		"STANDARD_WEBHOOK_SECRET must not be a placeholder: anybody":  {Secrets: values("whpk_" + strings.Repeat("A", 43) + "=")},
	} {
		_, err := standard.New(settings)
		require.ErrorContains(t, err, want)
	}
	for _, field := range []string{"/type/id", "/data/id/type"} {
		settings := provider.Settings{Secrets: values(secret), IDField: field}
		if field != "/type/id" {
			settings = provider.Settings{Secrets: values(secret), TypeField: field}
		}
		_, err := standard.New(settings)
		require.ErrorContains(t, err, "overlap")
	}
}

// A public key is known to everybody: an HMAC made with it proves nothing.
func TestAnHMACWithThePublicKeyIsRefused(t *testing.T) {
	t.Parallel()
	p := newProvider(t, provider.Settings{Secrets: values(public, secret)})
	body := deletion(`"id":"a"`)
	header, err := signature.SvixHeader(signature.StandardHeaders(), strings.TrimPrefix(public, "whpk_"), "msg_1", time.Now(), body)
	require.NoError(t, err)
	_, err = p.Receive(header, body)
	require.Equal(t, fault.ReasonBadSignature, fault.ReasonOf(err))
}

func newProvider(t *testing.T, s provider.Settings) provider.Provider {
	t.Helper()
	p, err := standard.New(s)
	require.NoError(t, err)
	return p
}

func receive(t *testing.T, s provider.Settings, body string) event.Delivery {
	t.Helper()
	header, err := signature.SvixHeader(signature.StandardHeaders(), secret, "msg_1", time.Now(), []byte(body))
	require.NoError(t, err)
	d, err := newProvider(t, s).Receive(header, []byte(body))
	require.NoError(t, err)
	return d
}

func values(s ...string) func() []string { return func() []string { return s } }
