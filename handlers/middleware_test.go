package handlers_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

func TestRequestID(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		id   string
		kept bool
	}{
		{"ordinary", "4bf92f35-77b3.A_z", true},
		{"as long as allowed", strings.Repeat("a", 64), true},
		{"absent", "", false},
		{"too long", strings.Repeat("a", 65), false},
		{"space inside", "a b", false},
		{"quote", `a"b`, false},
		{"beyond ASCII", "aéb", false},
		{"slash", "a/b", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t)
			got := post(t, e.serve(t), header("X-Request-Id", tt.id)).header.Get("X-Request-Id")
			if tt.kept {
				require.Equal(t, tt.id, got)
			} else {
				require.Regexp(t, `^[A-Z0-9]{26}$`, got)
			}
			require.Equal(t, got, e.line(t)["request_id"])
		})
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	s := newEdge(t).serve(t)
	admin := serve(t, handlers.NewAdmin(adminOptions(nil)))
	for _, got := range []reply{
		post(t, s), post(t, s, header("X-Token", "wrong")),
		send(t, s, http.MethodGet, "/nowhere", http.NoBody), send(t, s, http.MethodGet, "/livez", http.NoBody),
		send(t, admin, http.MethodGet, "/metrics", http.NoBody), send(t, admin, http.MethodGet, "/", http.NoBody),
	} {
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
		require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	}
}

func TestRemoteIP(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	tests := []struct {
		name    string
		trusted []netip.Prefix
		xff     string
		want    string
	}{
		{"nobody is trusted", nil, "203.0.113.7", "127.0.0.1"},
		{"another is trusted", proxies[1:], "203.0.113.7", "127.0.0.1"},
		{"trusted proxy", proxies, "203.0.113.7", "203.0.113.7"},
		{"what the sender made up is left of it", proxies, "1.1.1.1, 203.0.113.7", "203.0.113.7"},
		{"two trusted proxies", proxies, "203.0.113.7, 2001:db8::1", "203.0.113.7"},
		{"private neighbour is not trusted by itself", proxies, "203.0.113.7, 10.0.0.1", "10.0.0.1"},
		{"with a port, as Azure writes it", proxies, "203.0.113.7:51234", "203.0.113.7"},
		{"IPv6 in brackets", proxies, "[2001:db9::7]", "2001:db9::7"},
		{"IPv6 in brackets with a port", proxies, "203.0.113.9, [2001:db9::7]:443 ", "2001:db9::7"},
		{"a trusted proxy with a port", proxies, "203.0.113.7:1, [2001:db8::1]:2", "203.0.113.7"},
		{"IPv4 written as IPv6", proxies, "::ffff:203.0.113.7", "203.0.113.7"},
		{"only trusted proxies", proxies, "127.0.0.2:1", "127.0.0.2"},
		{"a port that is none", proxies, "203.0.113.7:http", "127.0.0.1"},
		{"not an address", proxies, "someone@example.com", "127.0.0.1"},
		{"no header", proxies, "", "127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t)
			e.options.TrustedProxies = tt.trusted
			post(t, e.serve(t), func(r *http.Request) {
				if tt.xff != "" {
					r.Header.Set("X-Forwarded-For", tt.xff)
				}
				r.Header.Set("X-Real-Ip", "198.51.100.1")
			})
			require.Equal(t, tt.want, e.line(t)["remote_ip"])
		})
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	const marker = "secret-of-the-body"
	var nothing map[string]int
	tests := []struct {
		name  string
		panic func()
		says  string
	}{
		{"with a text that quotes the body", func() { panic(marker) }, "string"},                            //nolint:forbidigo // A bug is what this is about.
		{"with an error that quotes the body", func() { panic(errors.New(marker)) }, "*errors.errorString"}, //nolint:forbidigo // A bug is what this is about.
		{"of the runtime", func() { nothing["x"] = 1 }, "assignment to entry in nil map"},
	}
	for _, tt := range tests {
		for _, where := range []string{"header", "receive", "accept"} {
			t.Run(tt.name+" in "+where, func(t *testing.T) {
				t.Parallel()
				e := newEdge(t)
				switch where {
				case "header":
					e.provider.CheckHeader = func(http.Header) error { tt.panic(); return nil }
				case "receive":
					e.provider.Receive = func(http.Header, []byte) (deletion.Delivery, error) { tt.panic(); return one(), nil }
				default:
					e.options.Acceptor = acceptorFunc(func(context.Context, []deletion.Deletion) (deletion.Receipt, error) {
						tt.panic()
						return deletion.Receipt{}, nil
					})
				}
				got := post(t, e.serve(t))
				require.Equal(t, 500, got.status)
				require.Equal(t, refusal("error"), got.body)

				panics := e.logs.FilterMessage("panic recovered").All()
				require.Len(t, panics, 1)
				require.Equal(t, zap.ErrorLevel, panics[0].Level)
				require.Equal(t, tt.says, panics[0].ContextMap()["panic"])
				require.Contains(t, panics[0].ContextMap()["stack"], "middleware_test.go")
				require.NotContains(t, panics[0].ContextMap()["stack"], marker)
				require.Equal(t, "panic", e.line(t)["reason"])
				require.Equal(t, 1, e.counted(t)["webhooks_total{error,clerk}"])
			})
		}
	}
}
