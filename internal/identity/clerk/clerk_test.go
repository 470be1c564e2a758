package clerk_test

import (
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/clerk"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	other  = "whsec_plJ3nmyCDGBKInavdOK15jsl"
	pings  = `{"type":"ping","data":{}}`
)

func TestClerk(t *testing.T) {
	t.Parallel()
	providertest.Run(t, harness())
}

func TestClerkWithExternalID(t *testing.T) {
	t.Parallel()
	providertest.Run(t, externalHarness())
}

func TestClerkOfOneInstance(t *testing.T) {
	t.Parallel()
	h := harness()
	h.Source = "ins_1"
	body := h.Body
	h.Body = func(members string) []byte { return append([]byte(`{"instance_id":"ins_1",`), body(members)[1:]...) }
	providertest.Run(t, h)
}

func TestGoldenRequests(t *testing.T) {
	t.Parallel()
	providertest.Golden(t, harness(), "testdata")
}

func FuzzReceive(f *testing.F)         { providertest.Fuzz(f, harness()) }
func FuzzReceiveExternal(f *testing.F) { providertest.Fuzz(f, externalHarness()) }
func FuzzUnsigned(f *testing.F)        { providertest.FuzzUnsigned(f, harness()) }

func TestOfficialLibrariesVerifyOurSamples(t *testing.T) {
	t.Parallel()
	sample := provider.Sample{ExternalID: "user_1", EventID: "msg_1", Time: time.Now()}
	header, body, err := clerk.Sample(secret, sample)
	require.NoError(t, err)
	theirs, err := svix.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, theirs.Verify(body, header))
	require.Error(t, theirs.Verify(append(body, ' '), header))
}

func TestDeliveriesOfOfficialSignersAreTaken(t *testing.T) {
	t.Parallel()
	p, err := clerk.New(provider.Settings{Secrets: func() []string { return []string{other, secret} }})
	require.NoError(t, err)
	bySvix, err := svix.NewWebhook(secret)
	require.NoError(t, err)
	byStandard, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	body := []byte(`{"type":"user.deleted","data":{"object":"user","id":"user_1","deleted":true}}`)
	for _, sign := range []func(string, time.Time, []byte) (string, error){bySvix.Sign, byStandard.Sign} {
		at := time.Now()
		signed, err := sign("msg_1", at, body)
		require.NoError(t, err)
		header, err := signature.SvixHeader(signature.SvixHeaders(), other, "msg_1", at, body)
		require.NoError(t, err)
		header.Set("Svix-Signature", signed)
		d, err := p.Receive(header, body)
		require.NoError(t, err)
		require.Equal(t, "user_1", d.Deletions[0].ExternalID)
	}
}

func TestUnbrandedHeadersAreNotClerks(t *testing.T) {
	t.Parallel()
	p, err := clerk.New(provider.Settings{Secrets: func() []string { return []string{secret} }})
	require.NoError(t, err)
	header, err := signature.SvixHeader(signature.StandardHeaders(), secret, "msg_1", time.Now(), []byte(pings))
	require.NoError(t, err)
	require.Equal(t, fault.ReasonMissingHeader, fault.ReasonOf(p.CheckHeader(header)))
}

func TestLongMessageIDsAreDigested(t *testing.T) {
	t.Parallel()
	p, err := clerk.New(provider.Settings{Secrets: func() []string { return []string{secret} }})
	require.NoError(t, err)
	long := "msg_" + strings.Repeat("a", 250)
	header, body, err := clerk.Sample(secret, provider.Sample{ExternalID: "user_1", EventID: long, Time: time.Now()})
	require.NoError(t, err)
	d, err := p.Receive(header, body)
	require.NoError(t, err)
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, d.Deletions[0].EventID)
}

func TestUserIDIsKeptBesideTheExternalID(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{`"user_1"`: "user_1", `5`: "", `".."`: "", `null`: ""} {
		d := receive(t, "external_id", `{"type":"user.deleted","data":{"object":"user","deleted":true,"external_id":"e","id":`+raw+`}}`)
		require.Equal(t, "e", d.ExternalID)
		require.Equal(t, want, d.UserID)
	}
}
