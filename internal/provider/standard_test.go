package provider_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// svixPublic belongs to the key of Svix' server tests, which signs the golden requests.
const svixPublic = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="

func standard(t *testing.T, pairs ...string) *sender {
	t.Helper()
	return enabled(t, "standard", append([]string{"STANDARD_WEBHOOK_SECRET", svixKey}, pairs...)...)
}

// The same signatures under the other names.
func TestStandardWithSvixHeaders(t *testing.T) {
	t.Parallel()
	h := providertest.Variants(t, "standard")[0]
	sign := standard(t).Scheme.Sign
	h.SignWith = func(secret, id string, at time.Time, payload []byte) (http.Header, []byte, error) {
		header, body, err := sign(secret, id, at, payload)
		return renamed(header), body, err
	}
	providertest.Run(t, h)
}

// The sender's half of a key pair never is a setting.
func TestStandardWithEd25519(t *testing.T) {
	t.Parallel()
	providertest.Run(t, ed25519Harness(t))
}

func FuzzUnsignedEd25519(f *testing.F) {
	providertest.FuzzUnsigned(f, []*providertest.Harness{ed25519Harness(f)})
}

func ed25519Harness(tb testing.TB) *providertest.Harness {
	tb.Helper()
	h := providertest.Variants(tb, "standard")[0]
	h.SignWith = signV1a
	h.GoodSecret, h.OtherSecret = publicText(keyOf(1)), publicText(keyOf(2))
	return h
}

func TestStandardAPublicKeyCannotSignASample(t *testing.T) {
	t.Parallel()
	_, _, err := standard(t).Sample(svixPublic, provider.Sample{ExternalID: "user_1", EventID: "msg_1", Time: time.Now()})
	require.ErrorContains(t, err, "can only verify")
}

func TestStandardBothHeaderSetsAreTakenByTheSameProvider(t *testing.T) {
	t.Parallel()
	p := standard(t)
	for _, set := range []signature.HeaderSet{signature.StandardHeaders(), signature.SvixHeaders()} {
		body := []byte(`{"type":"user.deleted","data":{"id":"a"}}`)
		header, err := signature.SvixHeader(set, svixKey, "msg_1", time.Now(), body)
		require.NoError(t, err)
		require.NoError(t, p.Scheme.CheckHeader(header))
		d, err := p.Receive(header, body)
		require.NoError(t, err)
		require.Equal(t, "msg_1", d.Deletions[0].EventID)
	}
}

func TestStandardSeveralTypesMayMeanADeletion(t *testing.T) {
	t.Parallel()
	p := standard(t, "STANDARD_EVENT_TYPES", "user.deleted,account.purged")
	for name, want := range map[string]int{
		"user.deleted": 1, "account.purged": 1, "user.deleted,account.purged": 0, "account.purged2": 0, "Account.purged": 0, "": 0,
	} {
		d := p.receive(t, `{"type":"`+name+`","data":{"id":"a"}}`)
		require.Len(t, d.Deletions, want, name)
	}
}

func TestStandardFieldsDeepInsideAndWithEscapes(t *testing.T) {
	t.Parallel()
	p := standard(t, "STANDARD_TYPE_FIELD", "/meta/event~1type", "STANDARD_ID_FIELD", "/items/0/user~0id")
	d := p.receive(t, `{"meta":{"event/type":"user.deleted"},"items":[{"user~id":"a"},{"user~id":"b"}],"type":"x","data":{"id":"c"}}`)
	require.Equal(t, "a", d.Deletions[0].ExternalID)
	// One that is not there is held, whatever stands in its way.
	for _, items := range []string{`null`, `[]`, `"x"`, `{"1":{"user~id":"b"}}`, `[[{"user~id":"b"}]]`} {
		d := p.receive(t, `{"meta":{"event/type":"user.deleted"},"items":`+items+`}`)
		require.Equal(t, deletion.MissingID, d.Deletions[0].UnusableID, items)
	}
}

// A public key is known to everybody: an HMAC made with it proves nothing.
func TestStandardAnHMACWithThePublicKeyIsRefused(t *testing.T) {
	t.Parallel()
	p := standard(t)
	require.NoError(t, p.Scheme.SetKeys([]string{svixPublic, svixKey}))
	body := []byte(`{"type":"user.deleted","data":{"id":"a"}}`)
	header, err := signature.SvixHeader(signature.StandardHeaders(), strings.TrimPrefix(svixPublic, "whpk_"), "msg_1", time.Now(), body)
	require.NoError(t, err)
	_, err = p.Receive(header, body)
	require.Equal(t, fault.ReasonBadSignature, fault.ReasonOf(err))
}

func renamed(h http.Header) http.Header {
	changed := http.Header{}
	for name, values := range h {
		changed[http.CanonicalHeaderKey(strings.Replace(name, "Webhook-", "Svix-", 1))] = values
	}
	return changed
}

func keyOf(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, 31), n))
}

func publicText(key ed25519.PrivateKey) string {
	return "whpk_" + base64.StdEncoding.EncodeToString(key[32:])
}

// signV1a signs as the owner of the public key, if it is one of the two.
func signV1a(public, id string, at time.Time, body []byte) (http.Header, []byte, error) {
	h, err := signature.SvixHeader(signature.StandardHeaders(), svixKey, id, at, body)
	if err != nil {
		return nil, nil, err
	}
	message := append([]byte(id+"."+strconv.FormatInt(at.Unix(), 10)+"."), body...)
	for n := range byte(3) {
		if key := keyOf(n); publicText(key) == public {
			h.Set("Webhook-Signature", "v1a,"+base64.StdEncoding.EncodeToString(ed25519.Sign(key, message)))
			return h, body, nil
		}
	}
	return nil, nil, errors.New("nobody has that key")
}
