package signature_test

import (
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

func TestAnswersThatAreNoKeySet(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	set := string(key.set)
	pad := func(n int) string { return set[:len(set)-1] + `,"pad":"` + strings.Repeat("a", n) + `"}` }
	var elsewhere atomic.Int64
	tests := map[string]http.HandlerFunc{
		"500":     func(w http.ResponseWriter, _ *http.Request) { http.Error(w, set, http.StatusInternalServerError) },
		"404":     http.NotFound,
		"201":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated); write(w, set) },
		"HTML":    func(w http.ResponseWriter, _ *http.Request) { write(w, "<!doctype html><title>Sign in</title>") },
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"a list":  func(w http.ResponseWriter, _ *http.Request) { write(w, "["+set+"]") },
		"no keys": func(w http.ResponseWriter, _ *http.Request) { write(w, `{"keys":[]}`) },
		"keys of no use": func(w http.ResponseWriter, _ *http.Request) {
			write(w, `{"keys":[{},5,{"kid":"a","kty":"oct","k":"YQ"}]}`)
		},
		"keys twice":      func(w http.ResponseWriter, _ *http.Request) { write(w, set[:len(set)-1]+`,"keys":[]}`) },
		"data after it":   func(w http.ResponseWriter, _ *http.Request) { write(w, set+set) },
		"a byte too much": func(w http.ResponseWriter, _ *http.Request) { write(w, pad(1<<20-len(set)-8)) },
		"a gzip bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			write(z, pad(8<<20))
			_ = z.Close()
		},
		"endless headers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Pad", strings.Repeat("a", 100<<10))
			write(w, set)
		},
		"a redirect to its own": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				elsewhere.Add(1)
				write(w, set)
				return
			}
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"a body that breaks off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			write(w, set)
		},
		"a connection that breaks off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, //nolint:forbidigo // how net/http is told
	}
	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(handler)
			defer server.Close()
			_, err := loopbackVerifier(t, server.URL).VerifyToken(key.token)
			require.Equal(t, fault.Unavailable, fault.KindOf(err))
			require.Equal(t, fault.ReasonKeys, fault.ReasonOf(err))
			require.NotContains(t, err.Error(), server.URL)
			require.Less(t, len(err.Error()), 300)
			require.Zero(t, elsewhere.Load(), "redirects are not followed")
		})
	}
	t.Run("a key set of just the size", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w, pad(1<<20-len(set)-9)) }))
		defer server.Close()
		requireVerified(t, loopbackVerifier(t, server.URL), key.token)
	})
}

func TestTheSecondPathIsAskedWhenTheFirstHasNoKeys(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	var asked atomic.Pointer[string]
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/tenant/second" {
			http.NotFound(w, r)
			return
		}
		accept := r.Header.Get("Accept")
		asked.Store(&accept)
		write(w, string(key.set))
	}))
	defer server.Close()
	v := with(t, signature.NewIssuerJWT(signature.JWKS{
		Paths: []string{"/first", "/second"}, Algorithms: []string{"RS256"}, MaxToken: 8 << 10, Now: time.Now, Transport: server.Client().Transport,
	}), server.URL+"/tenant/")
	requireVerified(t, v, key.token)
	require.Contains(t, *asked.Load(), "application/jwk-set+json")
}

func TestACertificateThatNobodyVouchesFor(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w, string(key.set)) }))
	defer server.Close()
	_, err := loopbackVerifier(t, server.URL).VerifyToken(key.token)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
}

func TestIssuersAddresses(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"https://example.net", "https://example.net/", "https://example.net:8443/a/b", "http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9", "https://10.0.0.1",
	} {
		require.NoError(t, anIssuer().CheckKey(good), good)
	}
	for _, bad := range []string{
		"", "example.net", "http://example.net", "http://10.0.0.1", "http://0.0.0.0", "http://localhost.example.net", "http://127.0.0.1.example.net",
		"HTTP://example.net", "ftp://127.0.0.1", "file:///etc/keys", "https://", "https:example.net", "https://u@example.net", "https://u:p@example.net",
		"https://example.net?a", "https://example.net?", "https://example.net#a", "https://example.net#", "https://exa mple.com", "https://example.net\n", "//example.net",
	} {
		err := anIssuer().CheckKey(bad)
		require.ErrorContains(t, err, "must ", bad)
		require.NotContains(t, err.Error(), "example.net")
	}
}

// Not parallel: others' goroutines would be taken for its own.
func TestNothingIsLeftRunning(t *testing.T) { //nolint:paralleltest // see above
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	key := newSigner(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w, string(key.set)) }))
	defer server.Close()
	requireVerified(t, loopbackVerifier(t, server.URL), key.token)
}

func anIssuer() *signature.JWT {
	return signature.NewIssuerJWT(signature.JWKS{Paths: []string{""}, Algorithms: []string{"RS256"}, MaxToken: 8 << 10, Now: time.Now})
}

func loopbackVerifier(t *testing.T, address string) *signature.JWT {
	t.Helper()
	return with(t, anIssuer(), address)
}

func write(w interface{ Write(b []byte) (int, error) }, text string) { _, _ = w.Write([]byte(text)) }
