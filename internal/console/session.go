package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	sessionCookie = "polar_bridge_console"
	sessionLength = 12 * time.Hour
	// sessionPrefix tells a session from an address.
	sessionPrefix = "session "
)

// sessions tell who has signed in before. A session replaces no password: each
// request has that too. It only says whose wrong ones count together.
type sessions struct{ key []byte }

// newSessions derives its own key, so that a cookie says nothing about what else
// the key is used for.
func newSessions(key []byte) sessions {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("console sessions"))
	return sessions{mac.Sum(nil)}
}

// cookie begins a session: a random id, its end, and a MAC over both.
func (s sessions) cookie(now time.Time) *http.Cookie {
	content := rand.Text() + "." + strconv.FormatInt(now.Add(sessionLength).Unix(), 10)
	return &http.Cookie{ //nolint:gosec // not Secure: the admin port has no TLS of its own
		Name: sessionCookie, Value: content + "." + s.mac(content), Path: Prefix, MaxAge: int(sessionLength.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}

// of returns the request's session, if it has a genuine one that has not ended.
func (s sessions) of(r *http.Request, now time.Time) (session string, ok bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return "", false
	}
	end := strings.LastIndexByte(cookie.Value, '.')
	if end < 0 || !hmac.Equal([]byte(cookie.Value[end+1:]), []byte(s.mac(cookie.Value[:end]))) {
		return "", false
	}
	id, until, _ := strings.Cut(cookie.Value[:end], ".")
	seconds, err := strconv.ParseInt(until, 10, 64)
	if err != nil || now.After(time.Unix(seconds, 0)) {
		return "", false
	}
	return sessionPrefix + id, true
}

func isSession(guesser string) bool { return strings.HasPrefix(guesser, sessionPrefix) }

func (s sessions) mac(content string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(content))
	return hex.EncodeToString(mac.Sum(nil))
}
