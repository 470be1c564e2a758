package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	user = "admin"
	// failureDelay is how long a wrong password waits for its answer.
	failureDelay = time.Second
	// failuresWaiting bounds how many wait at once. Whoever comes beyond it is
	// refused at once: a guess must cost us no more than the right password.
	failuresWaiting = 8
)

// gate lets in who knows the password. It locks nobody out: a stranger's
// guesses must not keep the operator from a console that is needed now.
type gate struct {
	password func() string
	log      *zap.Logger
	waiting  chan struct{}
}

func newGate(password func() string, log *zap.Logger) *gate {
	sampled := log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Minute, 5, 1000)
	}))
	return &gate{password: password, log: sampled, waiting: make(chan struct{}, failuresWaiting)}
}

func (g *gate) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, given := r.BasicAuth()
		if given && g.matches(name, password) {
			next.ServeHTTP(w, r)
			return
		}
		if given {
			g.log.Warn("console sign-in failed", zap.String("remote_ip", r.RemoteAddr))
			if !g.wait(r) {
				w.Header().Set("Retry-After", "1")
				http.Error(w, "Too many wrong passwords at once.", http.StatusTooManyRequests)
				return
			}
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="polar-bridge", charset="UTF-8"`)
		http.Error(w, "Sign in as admin with ADMIN_PASSWORD.", http.StatusUnauthorized)
	})
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

// wait delays the answer and reports whether there was room to.
func (g *gate) wait(r *http.Request) bool {
	select {
	case g.waiting <- struct{}{}:
	default:
		return false
	}
	defer func() { <-g.waiting }()
	delay := time.NewTimer(failureDelay)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-r.Context().Done():
	}
	return true
}
