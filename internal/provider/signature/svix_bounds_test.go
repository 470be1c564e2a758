package signature_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// What lies just within the bounds is genuine, and one byte more is refused.
func TestSvixHeadersAtTheirBounds(t *testing.T) {
	t.Parallel()
	const at, signatures, length = 1_800_000_000, 64, 8 << 10
	body := []byte(`{"type":"ping"}`)
	shortest := base64.StdEncoding.EncodeToString([]byte("sixteen bytes do")) // 128 bits
	key, err := signature.SvixKey(shortest)
	require.NoError(t, err)
	verify := func(id string, decorate func(genuine string) string) error {
		v := verifier(t, at, signature.SvixHeaders(), shortest)
		got, err := v.Verify(headers(signature.SvixHeaders(), id, at, decorate(signature.SvixSign(key, id, time.Unix(at, 0), body))), body)
		if err == nil {
			require.Equal(t, id, got.ID)
		}
		return err
	}
	alone := func(genuine string) string { return genuine }
	among := func(n int) func(string) string {
		return func(genuine string) string { return strings.Repeat("v1,AA ", n-1) + genuine }
	}
	within := func(n int) func(string) string {
		return func(genuine string) string {
			return "v2," + strings.Repeat("A", n-len("v2, ")-len(genuine)) + " " + genuine
		}
	}
	for _, id := range []string{"!", "~", strings.Repeat("a", 256)} {
		require.NoError(t, verify(id, alone), id)
	}
	require.NoError(t, verify("msg_1", among(signatures)))
	require.NoError(t, verify("msg_1", within(length)))

	for _, id := range []string{"a b", "\x7f", ".", strings.Repeat("a", 257)} {
		require.Equal(t, fault.ReasonBadHeader, fault.ReasonOf(verify(id, alone)), "%q", id)
	}
	require.Equal(t, fault.ReasonBadHeader, fault.ReasonOf(verify("msg_1", among(signatures+1))))
	require.Equal(t, fault.ReasonBadHeader, fault.ReasonOf(verify("msg_1", within(length+1))))

	_, err = signature.SvixKey(base64.StdEncoding.EncodeToString([]byte("fifteen bytes..")))
	require.Error(t, err)
}
