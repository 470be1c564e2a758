package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const user = "admin"

// gate lets in who knows the password. Wrong ones are counted per address, and
// beyond a few no guess is judged for a while. Who has signed in before is
// counted apart, so that a stranger's guesses, from whatever address, do not keep
// the operator from a console that is needed now.
type gate struct {
	password func() string
	log      *zap.Logger
	sessions sessions
	guesses  *throttle
}

func newGate(password func() string, key []byte, log *zap.Logger) *gate {
	sampled := log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Minute, 5, 1000)
	}))
	return &gate{password: password, log: sampled, sessions: newSessions(key), guesses: newThrottle()}
}

func (g *gate) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, given := r.BasicAuth()
		if !given {
			g.askPassword(w)
			return
		}
		now := time.Now() //nolint:forbidigo // sessions and guesses need the real clock
		session, signedIn := g.sessions.of(r, now)
		guesser := session
		if !signedIn {
			guesser = network(r.RemoteAddr)
		}
		var right bool
		wait := g.guesses.judge(guesser, now, func() bool {
			right = g.matches(name, password)
			return right
		})
		switch {
		case wait > 0:
			g.log.Warn("console sign-in refused after wrong passwords", zap.String("remote_ip", r.RemoteAddr))
			w.Header().Set("Retry-After", strconv.Itoa(int(wait.Round(time.Second)/time.Second)))
			http.Error(w, "Too many wrong passwords from your address. Wait, or use the commands: polar-bridge deletions --help.", http.StatusTooManyRequests)
		case !right:
			g.log.Warn("console sign-in failed", zap.String("remote_ip", r.RemoteAddr))
			g.askPassword(w)
		default:
			if !signedIn {
				http.SetCookie(w, g.sessions.cookie(now))
			}
			next.ServeHTTP(w, r)
		}
	})
}

func (g *gate) askPassword(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="polar-bridge", charset="UTF-8"`)
	http.Error(w, "Sign in as admin with ADMIN_PASSWORD.", http.StatusUnauthorized)
}

// matches compares digests, which are equally long, and both of them whatever
// the first says.
func (g *gate) matches(name, password string) bool {
	want := g.password()
	sameName := equal(name, user)
	samePassword := equal(password, want)
	return want != "" && sameName&samePassword == 1
}

func equal(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

// ipv6Network is what one subscriber has: every address in it is the same one's.
const ipv6Network = 64

// network is whose guesses count together.
func network(remoteAddr string) string {
	host, _, err := net.SplitHostPort(remoteAddr)
	if err != nil {
		host = remoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	prefix, _ := addr.Prefix(ipv6Network) // fails only for other lengths
	return prefix.String()
}
