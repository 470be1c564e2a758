package settings_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRulesOfProvidersWithPublicKeys(t *testing.T) {
	t.Parallel()
	const (
		absolute = " must be an absolute URL such as https://example.com."
		https    = " must begin with https://; http:// is allowed on loopback only."
		plain    = " must have no user, query or fragment."
		public   = "FUSIONAUTH_WEBHOOK_KEY must be the HMAC secret, not an address or a key of a pair."
	)
	for _, name := range []string{"KINDE_ISSUER_URL", "FUSIONAUTH_JWKS_URL"} {
		for value, want := range map[string]string{
			"https://shop.kinde.com":                     "",
			"https://auth.example.com:8443/a/jwks.json":  "",
			"http://127.0.0.1:9999":                      "",
			"http://localhost:9999/":                     "",
			"http://[::1]:9999":                          "",
			"shop.kinde.com":                             absolute,
			"https://":                                   absolute,
			"https:shop.kinde.com":                       absolute,
			"http://shop.kinde.com":                      https,
			"http://127.0.0.1.nip.io":                    https,
			"http://10.0.0.1":                            https,
			"ftp://shop.kinde.com":                       https,
			"https://user:marker@shop.kinde.com":         plain,
			"https://shop.kinde.com?a":                   plain,
			"https://shop.kinde.com?":                    plain,
			"https://shop.kinde.com#":                    plain,
			"https://shop.kinde.com/.well-known/jwks#k1": plain,
		} {
			_, err := with("POLAR_ACCESS_TOKEN", goodToken, name, value).parse(nil, forServe)
			if want == "" {
				require.NoError(t, err, value)
				continue
			}
			require.Equal(t, []string{name + want}, problems(t, err), value)
		}
	}
	for value, want := range map[string]string{
		"0123456789abcdef":                          "",
		"0123456789abcdef\nfedcba9876543210":        "",
		"short":                                     "FUSIONAUTH_WEBHOOK_KEY must hold a key of at least 16 bytes.",
		"https://auth.example.com/jwks.json":        public,
		"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqh": public,
		`{"keys":[]}0123456789`:                     public,
	} {
		_, err := with("POLAR_ACCESS_TOKEN", goodToken, "FUSIONAUTH_WEBHOOK_KEY", value).parse(nil, forServe)
		if want == "" {
			require.NoError(t, err, value)
			continue
		}
		require.Equal(t, []string{want}, problems(t, err), value)
	}
}

func TestFusionAuthSignsWithOneKey(t *testing.T) {
	t.Parallel()
	_, err := with("FUSIONAUTH_WEBHOOK_KEY", "0123456789abcdef", "FUSIONAUTH_JWKS_URL", "https://auth.example.com/jwks").parse(nil, everything)
	require.Equal(t, []string{"FUSIONAUTH_JWKS_URL and FUSIONAUTH_WEBHOOK_KEY are both set; FusionAuth signs a webhook with one key only."}, problems(t, err))
}
