package signature_test

import (
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	other  = "whsec_plJ3nmyCDGBKInavdOK15jsl"
)

func TestPublishedVectors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, secret, id, body, want string
		at                           int64
	}{
		{"standard webhooks", secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", 1614265330},
		{"svix documentation", other, "msg_loFOjxBNrRLzqYUf", `{"event_type":"ping","data":{"success":true}}`, "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=", 1731705121},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, secret := range []string{tt.secret, strings.TrimPrefix(tt.secret, "whsec_")} {
				key, err := signature.SvixKey(secret)
				require.NoError(t, err)
				require.Equal(t, tt.want, signature.SvixSign(key, tt.id, time.Unix(tt.at, 0), []byte(tt.body)))
			}
			v := verifier(t, tt.at, signature.StandardHeaders(), tt.secret)
			id, err := v.Verify(headers(signature.StandardHeaders(), tt.id, tt.at, tt.want), []byte(tt.body))
			require.NoError(t, err)
			require.Equal(t, tt.id, id.ID)
		})
	}
}

func TestSignersThatWeDidNotWrite(t *testing.T) {
	t.Parallel()
	body := []byte(`{"type":"ping"}`)
	at := time.Now()
	bySvix, err := svix.NewWebhook(secret)
	require.NoError(t, err)
	byStandard, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	for _, set := range []signature.HeaderSet{signature.SvixHeaders(), signature.StandardHeaders()} {
		ours, err := signature.SvixHeader(set, secret, "msg_1", at, body)
		require.NoError(t, err)
		require.NoError(t, bySvix.Verify(body, ours))
		if set == signature.StandardHeaders() {
			require.NoError(t, byStandard.Verify(body, ours))
		}
		for _, sign := range []func(string, time.Time, []byte) (string, error){bySvix.Sign, byStandard.Sign} {
			theirs, err := sign("msg_1", at, body)
			require.NoError(t, err)
			id, err := verifier(t, at.Unix(), set, other, secret).Verify(headers(set, "msg_1", at.Unix(), theirs), body)
			require.NoError(t, err)
			require.Equal(t, "msg_1", id.ID)
		}
	}
}

func TestBothSetsCanBeAllowedAndTheIDIsOfTheOneThatIsSigned(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_800_000_000, 0)
	v := with(t, signature.NewSvix(func() time.Time { return at }, signature.StandardHeaders(), signature.SvixHeaders()), secret)
	standard, err := signature.SvixHeader(signature.StandardHeaders(), secret, "msg_1", at, nil)
	require.NoError(t, err)
	branded, err := signature.SvixHeader(signature.SvixHeaders(), secret, "msg_2", at, nil)
	require.NoError(t, err)

	id, err := v.Verify(standard, nil)
	require.NoError(t, err)
	require.Equal(t, "msg_1", id.ID)
	id, err = v.Verify(branded, nil)
	require.NoError(t, err)
	require.Equal(t, "msg_2", id.ID)

	foreign := http.Header{"Webhook-Id": {"msg_3"}, "Webhook-Timestamp": standard["Webhook-Timestamp"], "Webhook-Signature": {"v1,AAAA"}}
	for _, beside := range []http.Header{foreign, {"Webhook-Id": {"msg_3"}}, {"Webhook-Id": standard["Webhook-Id"], "Webhook-Signature": branded["Svix-Signature"]}} {
		both := branded.Clone()
		maps.Copy(both, beside)
		id, err = v.Verify(both, nil)
		require.NoError(t, err)
		require.Equal(t, "msg_2", id.ID)
		both.Del("Svix-Timestamp") // nothing is made up from two halves
		_, err = v.Verify(both, nil)
		require.Error(t, err)
	}
}

func TestADotInTheIDCannotShiftTheTimestamp(t *testing.T) {
	t.Parallel()
	// "a.1.1800000000.{}" signed once would fit id "a", timestamp 1 and id "a.1".
	key, err := signature.SvixKey(secret)
	require.NoError(t, err)
	at := time.Unix(1_800_000_000, 0)
	signed := signature.SvixSign(key, "a.1", at, []byte(`{}`))
	v := verifier(t, at.Unix(), signature.SvixHeaders(), secret)
	_, err = v.Verify(headers(signature.SvixHeaders(), "a.1", at.Unix(), signed), []byte(`{}`))
	require.Equal(t, fault.ReasonBadHeader, fault.ReasonOf(err))
}

func TestSecretsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"", "whsec_", "whsec_AAAAAAAAAAAAAAAAAAAA", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaL", "whsec_%%%%", "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"whsec_whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
	} {
		_, err := signature.SvixKey(value)
		require.Error(t, err, "%q", value)
		_, err = signature.SvixHeader(signature.SvixHeaders(), value, "msg_1", time.Now(), nil)
		require.Error(t, err, "%q", value)
	}
	v := signature.NewSvix(time.Now, signature.SvixHeaders())
	require.EqualError(t, v.CheckKey("whsec_AAAA"), "must hold a key of at least 16 bytes")
	require.EqualError(t, v.CheckKey("x y z"), "must be base64, with or without whsec_ before it, as the provider's console shows it")
}

func TestAKeyIsTheSameWithoutItsPadding(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"whsec_MDEyMzQ1Njc4OWFiY2RlZg==", "whsec_MDEyMzQ1Njc4OWFiY2RlZg", "MDEyMzQ1Njc4OWFiY2RlZg="} {
		key, err := signature.SvixKey(value)
		require.NoError(t, err)
		require.Equal(t, "0123456789abcdef", string(key))
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	v := with(t, signature.NewToken(signature.Bearer()), "another-token-of-25-chars", token)
	require.NoError(t, v.CheckHeader(http.Header{"Authorization": {"Bearer " + token}}))
	require.NoError(t, v.CheckHeader(http.Header{"Authorization": {"Bearer another-token-of-25-chars"}}))
	for _, value := range []string{"", token, "bearer " + token, "Bearer", "Bearer ", "Bearer 0123456789abcde"} {
		require.Equal(t, fault.ReasonBadToken, fault.ReasonOf(v.CheckHeader(http.Header{"Authorization": {value}})), value)
	}
	require.NoError(t, v.CheckKey("!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"), "all that prints")
	for value, want := range map[string]string{
		"0123456789abcde":     "must be at least 16 characters long",
		" 0123456789abcdef":   "must consist of visible ASCII characters without spaces",
		"Bearer 0123456789":   "must be the token alone, without the word Bearer",
		"0123456789abcde\x7f": "must consist of visible ASCII characters without spaces",
	} {
		require.EqualError(t, v.CheckKey(value), want)
	}
}

func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_800_000_000, 0)
	v := with(t, signature.NewSvix(func() time.Time { return at }, signature.SvixHeaders()), secret)
	var calls atomic.Int64
	header, err := signature.SvixHeader(signature.SvixHeaders(), secret, "msg_1", at, nil)
	require.NoError(t, err)
	var group sync.WaitGroup
	var failures atomic.Int64
	for range 4 {
		group.Go(func() {
			for range 100 {
				values := [][]string{{secret}, {other, secret}, {"not usable", secret}}[calls.Add(1)%3]
				if err := v.SetKeys(values); (err != nil) != (values[0] == "not usable") {
					failures.Add(1)
				}
				if _, err := v.Verify(header, nil); err != nil {
					failures.Add(1)
				}
			}
		})
	}
	group.Wait()
	require.Zero(t, failures.Load())
}

func FuzzSvixHeaders(f *testing.F) {
	const at = 1_800_000_000
	body := []byte(`{"type":"ping"}`)
	key, err := signature.SvixKey(secret)
	require.NoError(f, err)
	genuine := signature.SvixSign(key, "msg_1", time.Unix(at, 0), body)
	f.Add("msg_1", "1800000000", genuine, body)
	f.Add("msg.1", "01800000000", "v1a,AAAA "+genuine, body)
	f.Add("msg_1.1800000000", "+1", "v1,,"+genuine, []byte{})
	f.Fuzz(func(t *testing.T, id, timestamp, signed string, changed []byte) {
		v := verifier(t, at, signature.SvixHeaders(), other, secret)
		header := http.Header{"Svix-Id": {id}, "Svix-Timestamp": {timestamp}, "Svix-Signature": {signed}}
		got, err := v.Verify(header, changed)
		if err != nil {
			require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
			require.Equal(t, signature.Message{}, got)
			return
		}
		require.Equal(t, "msg_1", id)
		require.Equal(t, "1800000000", timestamp)
		require.Regexp(t, `(^| )`+regexp.QuoteMeta(genuine)+`($|[ ,])`, signed)
		require.Equal(t, body, changed)
	})
}

func verifier(t *testing.T, now int64, set signature.HeaderSet, secrets ...string) *signature.Svix {
	t.Helper()
	return with(t, signature.NewSvix(func() time.Time { return time.Unix(now, 0) }, set), secrets...)
}

func headers(set signature.HeaderSet, id string, at int64, signed string) http.Header {
	h := http.Header{}
	h.Set(set.ID, id)
	h.Set(set.Timestamp, strconv.FormatInt(at, 10))
	h.Set(set.Signature, signed)
	return h
}
