package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/console"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// onSQLite tests what no database has a part in.
func onSQLite(t *testing.T, change ...func(*console.Options, *handlers.AdminOptions)) *site {
	t.Helper()
	return open(t, databasetest.OpenMigrated(t, databasetest.SQLite(t)), change...)
}

func paths() []string {
	return []string{"/ui/", "/ui/deletions", "/ui/deletions/1", "/ui/questions/x", "/ui/request", "/ui/pause", "/ui/x"}
}

func TestWhoIsNotSignedInSeesNothing(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	s.hold(t, deletion.HoldTeam, "user_1")
	for _, path := range paths() {
		got := s.get(t, path)
		require.Equal(t, "/ui/login", got.path, path)
		require.NotContains(t, got.text, "user_1")
		require.Equal(t, "/ui/login", s.post(t, path).path, path)
	}
	require.Equal(t, "/ui/login", s.post(t, "/ui/choose", "verb", "retry", "id", "1").path)
	require.Equal(t, deletion.StateHeld, s.find(t, "user_1").State)
	require.Equal(t, 200, s.get(t, "/ui/style.css").status)
	require.Equal(t, 200, s.get(t, "/ui").status)
}

func TestThePassword(t *testing.T) {
	t.Parallel()
	now := password
	s := onSQLite(t, func(o *console.Options, _ *handlers.AdminOptions) { o.Password = func() string { return now } })
	for _, wrong := range []string{"", "x", password + " ", strings.ToUpper(password)} {
		got := s.post(t, "/ui/login", "name", "alice", "password", wrong)
		require.Equal(t, 401, got.status)
		require.NotContains(t, got.text, password)
		s.later(time.Hour)
	}
	require.Equal(t, 400, s.post(t, "/ui/login", "password", password).status, "it needs a name")
	s.signIn(t)
	require.Contains(t, s.get(t, "/ui/").text, "console:alice <small>(self-asserted)")
	s.later(12*time.Hour - time.Second)
	require.Equal(t, "/ui/", s.get(t, "/ui/").path)
	s.later(time.Second)
	require.Equal(t, "/ui/login", s.get(t, "/ui/").path, "a session ends after twelve hours")
	require.Contains(t, s.get(t, "/ui/login").text, `value="alice"`, "the name is remembered")

	s.signIn(t)
	require.Equal(t, "/ui/login", s.post(t, "/ui/logout").path)
	require.Equal(t, "/ui/login", s.get(t, "/ui/").path)

	s.signIn(t)
	now = "another password"
	require.Equal(t, "/ui/login", s.get(t, "/ui/").path, "another password ends the session")
	now = ""
	require.Equal(t, 401, s.post(t, "/ui/login", "name", "alice", "password", "").status)
}

func TestASessionCannotBeMade(t *testing.T) {
	t.Parallel()
	s := onSQLite(t).signIn(t)
	address, err := url.Parse(s.URL + "/ui/")
	require.NoError(t, err)
	var genuine *http.Cookie
	for _, cookie := range s.client.Jar.Cookies(address) {
		if cookie.Name == "polar_bridge_session" {
			genuine = cookie
		}
	}
	parts := strings.Split(genuine.Value, ".")
	require.Len(t, parts, 3)
	for _, forged := range []string{
		"", ".", "..", "a.b.c", parts[0] + "." + parts[1], parts[0] + ".99999999999." + parts[2], "bWFsbG9yeQ." + parts[1] + "." + parts[2], genuine.Value + "x",
	} {
		r := s.request(t, http.MethodGet, "/ui/", nil)
		r.AddCookie(&http.Cookie{Name: "polar_bridge_session", Value: forged})
		require.Equal(t, "/ui/login", s.do(t, s.stranger(t), r).path, forged)
	}
}

func TestGuessesAreBoundedByAddress(t *testing.T) {
	t.Parallel()
	s := onSQLite(t, trusting("127.0.0.1/32"))
	guess := func(address, password string) int {
		r := s.request(t, http.MethodPost, "/ui/login", form("name", "mallory", "password", password))
		r.Header.Set("X-Forwarded-For", address)
		return s.do(t, s.stranger(t), r).status
	}
	s.signIn(t)
	for range 5 {
		require.Equal(t, 401, guess("192.0.2.1", "wrong"))
	}
	require.Equal(t, 429, guess("192.0.2.1", "wrong"))
	require.Equal(t, 429, guess("192.0.2.1", password), "even the right one")
	require.Equal(t, 200, guess("192.0.2.2", password), "others are not kept out")
	s.later(time.Second)
	require.Equal(t, 401, guess("192.0.2.1", "wrong"))
	require.Equal(t, 429, guess("192.0.2.1", "wrong"))
	for range 30 {
		s.later(time.Minute)
		guess("192.0.2.1", "wrong")
	}
	s.later(4 * time.Minute)
	require.Equal(t, 429, guess("192.0.2.1", password))
	s.later(time.Minute)
	require.Equal(t, 200, guess("192.0.2.1", password), "nobody waits for longer than five minutes")

	for i := range 6 {
		want := 401
		if i == 5 {
			want = 429
		}
		require.Equal(t, want, guess(fmt.Sprintf("2001:db8::%d", i), "wrong"), "a network of IPv6 is one address")
	}
	for i := range 5000 {
		guess(fmt.Sprintf("198.51.%d.%d", i/250, i%250), "wrong")
	}
	require.Equal(t, 200, s.get(t, "/ui/").status, "a session is never locked out")
	require.Equal(t, "/ui/", s.get(t, "/ui/").path)
}

func TestGuessesAtOnceAreCountedEach(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	statuses := make(chan int)
	const many = 40
	for range many {
		r := s.request(t, http.MethodPost, "/ui/login", form("name", "mallory", "password", "wrong"))
		go func() {
			response, err := s.client.Do(r)
			if err != nil {
				statuses <- 0
				return
			}
			response.Body.Close() //nolint:errcheck // only its status counts
			statuses <- response.StatusCode
		}()
	}
	counts := map[int]int{}
	for range many {
		counts[<-statuses]++
	}
	require.Equal(t, map[int]int{401: 5, 429: many - 5}, counts)
}

func TestWhatAProxySays(t *testing.T) {
	t.Parallel()
	visit := func(t *testing.T, s *site, headers ...string) (text, cookie string) {
		t.Helper()
		r := s.request(t, http.MethodPost, "/ui/login", form("name", "alice", "password", password))
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		client := s.stranger(t)
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		login := s.do(t, client, r)
		require.Equal(t, http.StatusSeeOther, login.status)
		cookie = login.header.Get("Set-Cookie")
		r = s.request(t, http.MethodGet, "/ui/pause", nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		value, _, _ := strings.Cut(cookie, ";")
		r.Header.Set("Cookie", value)
		return s.do(t, s.stranger(t), r).text, cookie
	}
	t.Run("is believed from one that is trusted", func(t *testing.T) {
		t.Parallel()
		s := onSQLite(t, trusting("127.0.0.0/8"))
		text, cookie := visit(t, s, "X-Forwarded-Proto", "https", "X-Forwarded-User", "carol")
		require.Contains(t, text, "console:carol <small>(says the proxy)")
		require.Contains(t, cookie, "; HttpOnly; Secure; SameSite=Strict")
		text, _ = visit(t, s, "Remote-User", "dave")
		require.Contains(t, text, "console:dave")
	})
	t.Run("is not believed from anybody else", func(t *testing.T) {
		t.Parallel()
		text, cookie := visit(t, onSQLite(t, trusting("192.0.2.0/24")), "X-Forwarded-Proto", "https", "X-Forwarded-User", "carol", "Remote-User", "carol")
		require.Contains(t, text, "console:alice <small>(self-asserted)")
		require.Contains(t, cookie, "; Path=/ui; Max-Age=43200; HttpOnly; SameSite=Strict")
		require.NotContains(t, cookie, "Secure")
	})
}

func TestOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	s := onSQLite(t).signIn(t)
	s.hold(t, deletion.HoldTeam, "user_1")
	path := s.ask(t, "retry", "user_1")
	for _, headers := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
		for _, target := range []string{path, "/ui/login", "/ui/logout", "/ui/choose", "/ui/request", "/ui/pause"} {
			r := s.request(t, http.MethodPost, target, form("wanted", "pause", "because", "x"))
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set(headers[0], headers[1])
			require.Equal(t, 403, s.do(t, s.client, r).status, "%s with %v", target, headers)
		}
	}
	require.Equal(t, deletion.StateHeld, s.find(t, "user_1").State)
	// Without TLS browsers send no Sec-Fetch-Site, except to loopback.
	r := s.request(t, http.MethodPost, path, nil)
	r.Header.Del("Sec-Fetch-Site")
	r.Header.Set("Origin", s.URL)
	require.Equal(t, 200, s.do(t, s.client, r).status)
}

func TestEveryAnswerIsProtected(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	for _, signedIn := range []bool{false, true} {
		if signedIn {
			s.signIn(t)
		}
		for _, path := range append(paths(), "/ui/login", "/ui/style.css", "/ui/deletions?state=x") {
			h := s.get(t, path).header
			require.Equal(t, "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'", h.Get("Content-Security-Policy"), path)
			require.Equal(t, "DENY", h.Get("X-Frame-Options"))
			require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
			require.Equal(t, "same-origin", h.Get("Referrer-Policy"))
			require.Equal(t, "no-store", h.Get("Cache-Control"))
		}
	}
}

func TestAReadOnlyConsoleDoesNothing(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db, func(o *console.Options, _ *handlers.AdminOptions) { o.ReadOnly = true }).signIn(t)
		s.hold(t, deletion.HoldTeam, "user_1")
		for _, path := range []string{"/ui/choose", "/ui/questions/x", "/ui/request", "/ui/pause"} {
			got := s.post(t, path, append(s.idsOf(t, "user_1"), "verb", "cancel", "wanted", "pause", "because", "x")...)
			require.Equal(t, 409, got.status)
			require.Contains(t, got.text, "read-only")
		}
		for _, path := range []string{"/ui/", "/ui/deletions", fmt.Sprintf("/ui/deletions/%d", s.find(t, "user_1").ID)} {
			text := s.get(t, path).text
			require.Equal(t, 1, strings.Count(text, `method="post"`), "only to sign out")
			require.Contains(t, text, "read-only")
		}
		s.later(89 * 24 * time.Hour)
		require.Equal(t, "/ui/", s.get(t, "/ui/").path, "a screen on a wall stays signed in")
	})
}
