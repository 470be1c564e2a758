package signature_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const textKey = "0123456789abcdef"

// Vectors of vendors. Their keys are too short for TextKey, so only the MAC is
// compared.
func TestVectorsOfVendorsForHMACs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, key, text, want string
	}{
		{
			"WorkOS, by npm @workos-inc/node 8.13.0", "secret",
			`1700000000000.{"id":"event_1","event":"user.deleted","data":{"id":"user_1","object":"user"}}`,
			"7f8087759ed644a70673826d49ff8665be1aa01544c1036c56ac6192d6ccd947",
		},
		// https://github.com/logto-io/logto/blob/master/packages/core/src/utils/sign.test.ts
		{
			"Logto, of its own unit test", "foo", `{"bar":"bar","foo":"foo"}`,
			"436958f1dbfefab37712fb3927760490fbf7757da8c0b2306ee7b485f0360eee",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, signature.HMACHex([]byte(tt.key), []byte(tt.text)))
		})
	}
}

// These values come from no vendor: they show that two programs of ours agree
// on what the vendors' source says.
func TestOwnComputationOnlyForHMACs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, key, text, want string
	}{
		{
			"Logto", "testsecret",
			`{"hookId":"h1","event":"User.Deleted","createdAt":"2026-01-01T00:00:00.000Z","params":{"userId":"u1"},"data":{"id":"u1"}}`,
			"4d5b0ab8d16b35dae183f2998fba6c00c6b90e89b75903d0f61a91f9b6a96bb5",
		},
		{
			"ZITADEL", "key", `1700000000.{"aggregateID":"1","event_type":"user.removed"}`,
			"5d7ac4c3b054788e10848c72baf5e56a0393949f116d05229d10e27acb576f58",
		},
		{
			"Keycloak", "key", `{"type":"admin.USER-DELETE","resourceId":"u1"}`,
			"7fc2bf0aa3756c1edfed5526597bbfce6313aa7378b4b17f826eb33c6ed1d032",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, signature.HMACHex([]byte(tt.key), []byte(tt.text)))
		})
	}
}

func TestTextKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"":                       "must hold a key of at least 16 bytes",
		"0123456789abcde":        "must hold a key of at least 16 bytes",
		" 0123456789abcdef":      "must have no white space around it",
		"0123456789abcdef\n":     "must have no white space around it",
		"0123456789abcdef\u200b": "must consist of characters that print",
		"0123456789\x00abcdef":   "must consist of characters that print",
		"0123456789\xffabcdef":   "must consist of characters that print",
	} {
		require.EqualError(t, signature.NewPlainHMAC("X-Signature").CheckKey(value), want)
		require.EqualError(t, signature.NewTimedHMAC(time.Now, timedForm(time.Second)).CheckKey(value), want)
		_, _, err := signature.NewPlainHMAC("X-Signature").Sign(value, "", time.Now(), nil)
		require.Error(t, err)
		_, _, err = signature.NewTimedHMAC(time.Now, timedForm(time.Second)).Sign(value, "", time.Now(), nil)
		require.Error(t, err)
	}
	for _, value := range []string{textKey, "0123456789 ,/+=\"abcdef", "äöüäöüäö"} {
		key, err := signature.TextKey(value)
		require.NoError(t, err)
		require.Equal(t, value, string(key), "as it stands")
	}
}

func TestThePlainHMACHasOneForm(t *testing.T) {
	t.Parallel()
	body := []byte(`{}`)
	v := with(t, signature.NewPlainHMAC("X-Signature"), "another key of 24 bytes!", textKey)
	good := signature.HMACHex([]byte(textKey), body)
	for value, reason := range map[string]fault.Reason{
		good:                     "",
		strings.ToUpper(good):    "",
		good[:63]:                fault.ReasonBadHeader,
		good + "0":               fault.ReasonBadHeader,
		good + " ":               fault.ReasonBadHeader,
		" " + good[1:]:           fault.ReasonBadHeader,
		good[:63] + "g":          fault.ReasonBadHeader,
		"sha256=" + good:         fault.ReasonBadHeader,
		good + "," + good:        fault.ReasonBadHeader,
		"":                       fault.ReasonBadHeader,
		strings.Repeat("0", 64):  fault.ReasonBadSignature,
		strings.Repeat("é", 32):  fault.ReasonBadHeader,
		good[2:] + good[:2]:      fault.ReasonBadSignature,
		strings.Repeat("a", 1e6): fault.ReasonBadHeader,
	} {
		_, err := v.Verify(http.Header{"X-Signature": {value}}, body)
		require.Equal(t, reason, fault.ReasonOf(err), "%.80q", value)
		if reason == fault.ReasonBadHeader {
			require.Equal(t, reason, fault.ReasonOf(v.CheckHeader(http.Header{"X-Signature": {value}})))
		}
	}
	require.Equal(t, fault.ReasonRepeatedHeader, fault.ReasonOf(v.CheckHeader(http.Header{"X-Signature": {good, good}})))
	require.Equal(t, fault.ReasonMissingHeader, fault.ReasonOf(v.CheckHeader(http.Header{"X-Signatur": {good}})))
}

func FuzzPlainHMAC(f *testing.F) {
	good := signature.HMACHex([]byte(textKey), []byte(`{}`))
	f.Add(good, []byte(`{}`))
	f.Add("sha256="+good, []byte(``))
	f.Fuzz(func(t *testing.T, value string, body []byte) {
		_, err := with(t, signature.NewPlainHMAC("X-Signature"), textKey).Verify(http.Header{"X-Signature": {value}}, body)
		if err != nil {
			require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
			return
		}
		require.Equal(t, signature.HMACHex([]byte(textKey), body), strings.ToLower(value))
	})
}

func timedForm(unit time.Duration) signature.TimedForm {
	return signature.TimedForm{Header: "X-Signature", Separator: ",", Unit: unit, Tolerance: 100 * time.Second}
}
