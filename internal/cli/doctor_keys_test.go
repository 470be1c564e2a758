package cli_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

const keySet = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","alg":"EdDSA","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
	{"kty":"RSA","kid":"2","alg":"RS256","use":"sig","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}]}`

func TestDoctorFetchesThePublicKeys(t *testing.T) {
	t.Parallel()
	polar := polartest.Start(t, polartest.Options{Token: polarToken})
	answers := map[string]struct {
		answer http.HandlerFunc
		want   string
		code   int
	}{
		"keys": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(keySet)) }, "public keys can be fetched", 0},
		"404":  {http.NotFound, "answer has status 404", 1},
		"HTML": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "public keys cannot be fetched", 1},
		"none": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) }, "public keys cannot be fetched", 1},
	}
	for setting, path := range map[string]string{"KINDE_ISSUER_URL": "", "FUSIONAUTH_JWKS_URL": "/.well-known/jwks.json"} {
		for name, tt := range answers {
			t.Run(setting+" that answers "+name, func(t *testing.T) {
				t.Parallel()
				issuer := httptest.NewServer(tt.answer)
				t.Cleanup(issuer.Close)
				variables := settings()
				variables["POLAR_BASE_URL"], variables["DATABASE_URL"] = polar.URL().String(), databasetest.SQLite(t)
				variables[setting] = issuer.URL + path
				got := run(t, variables, "doctor")
				require.Contains(t, got.stdout, tt.want)
				require.Equal(t, tt.code, got.code, "%s%s", got.stdout, got.stderr)
				if tt.code != 0 {
					require.Contains(t, got.stdout, setting+": ")
					require.Contains(t, got.stderr, "1 fault,")
				}
			})
		}
	}
}
