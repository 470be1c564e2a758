package signature_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

func TestTheTimedHMACHasOneForm(t *testing.T) {
	t.Parallel()
	body := []byte(`{"a":1}`)
	good := signature.HMACHex([]byte(textKey), []byte("1800000000."), body)
	wrong := signature.HMACHex([]byte("another key of 24 bytes!"), []byte("1800000000."), body)
	const now = "t=1800000000"
	tests := []struct {
		name, value string
		reason      fault.Reason
	}{
		{"as documented", now + ",v1=" + good, ""},
		{"with a blank behind the comma", now + ", v1=" + good, ""},
		{"the time last", "v1=" + good + "," + now, ""},
		{"upper case", now + ",v1=" + strings.ToUpper(good), ""},
		{"the right one after others", now + ",v0=aa,v2=bb,v1=cc,v1=" + wrong + ",v1=" + good, ""},
		{"the right one before others", now + ",v1=" + good + ",v1=" + wrong + ",v3=", ""},
		{"16 entries", now + strings.Repeat(",v1="+wrong, 14) + ",v1=" + good, ""},
		{"17 entries", now + strings.Repeat(",v1="+wrong, 15) + ",v1=" + good, fault.ReasonBadHeader},
		{"4 KiB", pad(now+",v1="+good+",v2=", 4<<10), ""},
		{"a byte more than 4 KiB", pad(now+",v1="+good+",v2=", 4<<10+1), fault.ReasonBadHeader},
		{"two times", now + "," + now + ",v1=" + good, fault.ReasonBadHeader},
		{"an empty time before the right one", "t=," + now + ",v1=" + good, fault.ReasonBadHeader},
		{"an empty time behind the right one", now + ",t=,v1=" + good, fault.ReasonBadHeader},
		{"no time", "v1=" + good, fault.ReasonBadHeader},
		{"an entry without a name", now + "," + good, fault.ReasonBadSignature},
		{"a word beside the right one", now + ",signed,v1=" + good, ""},
		{"a comma at the end", now + ",v1=" + good + ",", ""},
		{"two blanks", now + ",  v1=" + good, ""},
		{"a tab", now + ",\tv1=" + good, ""},
		{"semicolons", now + ";v1=" + good, fault.ReasonBadHeader},
		{"upper-case names", "T=1800000000,V1=" + good, fault.ReasonBadHeader},
		{"only other versions", now + ",v0=" + good + ",v2=" + good, fault.ReasonBadSignature},
		{"only wrong ones", now + ",v1=" + wrong, fault.ReasonBadSignature},
		{"no signature", now, fault.ReasonBadSignature},
		{"an empty signature", now + ",v1=", fault.ReasonBadSignature},
		{"a shorter signature", now + ",v1=" + good[:62], fault.ReasonBadSignature},
		{"a longer signature", now + ",v1=" + good + "00", fault.ReasonBadSignature},
		{"a signature with a blank", now + ",v1=" + good + " ", fault.ReasonBadSignature},
		{"the signature of another time", "t=1800000001,v1=" + good, fault.ReasonBadSignature},
		{"empty", "", fault.ReasonBadHeader},
	}
	v := timedVerifier(t, time.Second)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"X-Signature": {tt.value}}
			require.Equal(t, tt.reason, fault.ReasonOf(timedError(v, header, body)))
			if tt.reason == fault.ReasonBadHeader {
				require.Equal(t, tt.reason, fault.ReasonOf(v.CheckHeader(header)))
			}
		})
	}
	require.Equal(t, fault.ReasonRepeatedHeader, fault.ReasonOf(v.CheckHeader(http.Header{"X-Signature": {now, "v1=" + good}})))
	require.Equal(t, fault.ReasonMissingHeader, fault.ReasonOf(v.CheckHeader(nil)))
}

// pad makes a text so long.
func pad(text string, length int) string { return text + strings.Repeat("a", length-len(text)) }

func TestTheTimeOfATimedHMACHasOneFormAndOneWindow(t *testing.T) {
	t.Parallel()
	for unit, tests := range map[time.Duration]map[string]fault.Reason{
		time.Second: {
			"1800000000": "", "1799999900": "", "1800000100": "",
			"1799999899": fault.ReasonStale, "1800000101": fault.ReasonFuture, "0": fault.ReasonStale,
			"1800000000000": fault.ReasonFuture, "999999999999999": fault.ReasonFuture,
		},
		time.Millisecond: {
			"1800000000000": "", "1799999900000": "", "1800000100000": "",
			"1799999899999": fault.ReasonStale, "1800000100001": fault.ReasonFuture, "1800000000": fault.ReasonStale,
		},
	} {
		v := timedVerifier(t, unit)
		for _, text := range []string{
			"", "+1800000000", "-1800000000", "01800000000", "1800000000.0", "1800000000 ", "18e8", "0x6b49d200", "-0", "now",
			"1000000000000000", "9223372036854775807", "9223372036854775808", "１",
		} {
			tests[text] = fault.ReasonBadHeader
		}
		for text, reason := range tests {
			// Signed as it stands, so that only its form and age can be wrong.
			mac := signature.HMACHex([]byte(textKey), []byte(text+"."), []byte(`{}`))
			header := http.Header{"X-Signature": {"t=" + text + ",v1=" + mac}}
			require.Equal(t, reason, fault.ReasonOf(timedError(v, header, []byte(`{}`))), "%s in %s", text, unit)
			require.Equal(t, reason, fault.ReasonOf(v.CheckHeader(header)), "%s in %s", text, unit)
		}
	}
}

func TestSeveralKeysSignOneTimedHMAC(t *testing.T) {
	t.Parallel()
	header, _, err := timedVerifier(t, time.Millisecond).Sign("the old key of 22 bytes", "", at(), []byte(`{}`))
	require.NoError(t, err)
	more := signature.HMACHex([]byte(textKey), []byte("1800000000000."), []byte(`{}`))
	header.Set("X-Signature", header.Get("X-Signature")+",v1="+more)
	require.NoError(t, timedError(timedVerifier(t, time.Millisecond), header, []byte(`{}`)))
	require.Equal(t, fault.ReasonBadSignature, fault.ReasonOf(timedError(timedVerifier(t, time.Millisecond), header, []byte(`[]`))))
}

func FuzzTimedHMAC(f *testing.F) {
	body := []byte(`{}`)
	good := signature.HMACHex([]byte(textKey), []byte("1800000000."), body)
	f.Add("t=1800000000,v1="+good, body)
	f.Add("t=1800000000, v1="+good+",v1=00,v2=", body)
	f.Add("v1="+good+",t=01800000000", []byte(nil))
	f.Fuzz(func(t *testing.T, value string, changed []byte) {
		err := timedError(timedVerifier(t, time.Second), http.Header{"X-Signature": {value}}, changed)
		if err != nil {
			require.Equal(t, fault.Unauthenticated, fault.KindOf(err))
			return
		}
		require.Equal(t, body, changed)
		entries := strings.Split(strings.ToLower(value), ",")
		require.True(t, slices.ContainsFunc(entries, func(e string) bool { return strings.TrimLeft(e, " \t") == "v1="+good }))
		require.Contains(t, value, "t=1800000000")
	})
}

func at() time.Time { return time.Unix(1_800_000_000, 0) }

func timedVerifier(t *testing.T, unit time.Duration) *signature.TimedHMAC {
	t.Helper()
	return with(t, signature.NewTimedHMAC(at, timedForm(unit)), "another key, 24 bytes...", textKey)
}

func timedError(v *signature.TimedHMAC, h http.Header, body []byte) error {
	_, err := v.Verify(h, body)
	return err
}
