package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

const (
	sessionCookie = "polar_bridge_session"
	// nameCookie remembers what somebody called themselves.
	nameCookie = "polar_bridge_name"
	nameKept   = 365 * 24 * time.Hour
	// A session ends by itself; one that can do nothing is for a screen on a wall.
	sessionLasts         = 12 * time.Hour
	readOnlySessionLasts = 90 * 24 * time.Hour
)

// login is what the page to sign in shows.
type login struct {
	Name, Problem string
}

func (c *console) showLogin(w http.ResponseWriter, r *http.Request) {
	var l login
	if cookie, err := r.Cookie(nameCookie); err == nil {
		if name, err := base64.RawURLEncoding.DecodeString(cookie.Value); err == nil && ops.CheckName(string(name)) == nil {
			l.Name = string(name)
		}
	}
	c.renderLogin(w, r, http.StatusOK, l)
}

func (c *console) renderLogin(w http.ResponseWriter, r *http.Request, status int, l login) {
	v := &visit{Request: r, w: w}
	if err := c.render(v, status, "login", "Sign in", l); err != nil {
		c.fail(v, err)
	}
}

// login begins a session. Guesses are bounded by the address; who is signed in needs
// none.
func (c *console) login(w http.ResponseWriter, r *http.Request) {
	l := login{Name: strings.TrimSpace(r.PostFormValue("name"))}
	address := network(r.RemoteAddr)
	if wait := c.guesses.take(address); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		l.Problem = "Too many wrong passwords from your address: try again in " + span(wait+time.Second) + ". Sessions that exist go on."
		c.renderLogin(w, r, http.StatusTooManyRequests, l)
		return
	}
	given, want := sha256.Sum256([]byte(r.PostFormValue("password"))), sha256.Sum256([]byte(c.options.Password()))
	if subtle.ConstantTimeCompare(given[:], want[:]) != 1 || c.options.Password() == "" {
		c.options.Logger.Warn("console sign-in refused", zap.String("remote_ip", r.RemoteAddr))
		l.Problem = "The password is wrong."
		c.renderLogin(w, r, http.StatusUnauthorized, l)
		return
	}
	c.guesses.forget(address)
	if err := ops.CheckName(l.Name); err != nil && proxyName(r) == "" {
		l.Problem = "Say who you are: it " + err.Error() + "."
		c.renderLogin(w, r, http.StatusBadRequest, l)
		return
	}
	lasts := sessionLasts
	if c.options.ReadOnly {
		lasts = readOnlySessionLasts
	}
	name := base64.RawURLEncoding.EncodeToString([]byte(l.Name))
	content := name + "." + strconv.FormatInt(c.options.Now().Add(lasts).Unix(), 10)
	setCookie(w, r, sessionCookie, content+"."+c.sign(content), lasts)
	setCookie(w, r, nameCookie, name, nameKept)
	c.options.Logger.Info("console sign-in", zap.String("by", "console:"+l.Name), zap.String("remote_ip", r.RemoteAddr))
	http.Redirect(w, r, "/ui/", http.StatusSeeOther)
}

func (c *console) logout(v *visit) error {
	setCookie(v.w, v.Request, sessionCookie, "", -time.Second)
	http.Redirect(v.w, v.Request, "/ui/login", http.StatusSeeOther)
	return nil
}

// setCookie sets one that no script and no other site can use.
func setCookie(w http.ResponseWriter, r *http.Request, name, value string, lasts time.Duration) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure unless it came without TLS, as over a port-forward
		Name: name, Value: value, Path: "/ui", MaxAge: int(lasts / time.Second), HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
	})
}

// sign makes what only a holder of the key and of the password that is in force can make:
// another password ends all sessions, a restart none.
func (c *console) sign(content string) string {
	key := hmac.New(sha256.New, c.options.Key)
	key.Write([]byte("console session " + c.options.Password()))
	mac := hmac.New(sha256.New, key.Sum(nil))
	mac.Write([]byte(content))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// session says who is signed in.
func (c *console) session(r *http.Request) (name string, ok bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || c.options.Password() == "" {
		return "", false
	}
	parts := strings.Split(cookie.Value, ".")
	if len(parts) != 3 || !hmac.Equal([]byte(parts[2]), []byte(c.sign(parts[0]+"."+parts[1]))) {
		return "", false
	}
	seconds, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || !c.options.Now().Before(time.Unix(seconds, 0)) {
		return "", false
	}
	decoded, err := base64.RawURLEncoding.DecodeString(parts[0])
	return string(decoded), err == nil
}

// proxyName is who a trusted proxy says it is, in the headers of oauth2-proxy and of
// Authelia; from all others they were taken.
func proxyName(r *http.Request) string {
	for _, header := range []string{"X-Forwarded-User", "Remote-User"} {
		if name := r.Header.Get(header); ops.CheckName(name) == nil {
			return name
		}
	}
	return ""
}

const (
	// freeGuesses are those that nobody waits after.
	freeGuesses = 5
	// longestWait is the most that a guess has to wait for.
	longestWait = 5 * time.Minute
	// maxGuessers bounds the addresses that are remembered.
	maxGuessers = 4096
)

// guesses bounds wrong passwords by address.
type guesses struct {
	now func() time.Time

	mutex     sync.Mutex
	addresses map[string]guess
}

type guess struct {
	failures int
	last     time.Time
}

func newGuesses(now func() time.Time) *guesses {
	return &guesses{now: now, addresses: map[string]guess{}}
}

// take counts a guess as wrong until it is forgotten, or says how long the address has to
// wait for it. When there are too many addresses, the one that guessed the longest ago is
// forgotten.
func (g *guesses) take(address string) (wait time.Duration) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	known, ok := g.addresses[address]
	if known.failures >= freeGuesses {
		const most = 16 // doublings, far beyond the longest wait
		wait = min(time.Second<<min(known.failures-freeGuesses, most), longestWait)
		if wait = known.last.Add(wait).Sub(g.now()); wait > 0 {
			return wait
		}
	}
	if !ok && len(g.addresses) >= maxGuessers {
		oldest := ""
		for other, guess := range g.addresses {
			if oldest == "" || guess.last.Before(g.addresses[oldest].last) {
				oldest = other
			}
		}
		delete(g.addresses, oldest)
	}
	g.addresses[address] = guess{known.failures + 1, g.now()}
	return 0
}

func (g *guesses) forget(address string) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	delete(g.addresses, address)
}

// network is the address, or, where one customer has very many, the network.
func network(address string) string {
	const host6 = 64
	ip, err := netip.ParseAddr(address)
	switch {
	case err != nil:
		return address
	case ip.Is6() && !ip.Is4In6():
		return netip.PrefixFrom(ip, host6).Masked().String()
	}
	return ip.String()
}
