package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// shop is a real Better Auth server with its database, beside a bridge that is told of
// deletions by the page's hook or by the outbox.
type shop struct {
	*process

	env      *environment
	bridge   atomic.Pointer[url.URL] // where the hook's address leads to
	database *authDatabase
	admin    *member
}

// member is somebody who is signed in at a shop.
type member struct {
	id, email string
	client    *http.Client
}

// The two ways by which a bridge is told.
const (
	byHook   = "the hook"
	byOutbox = "the outbox"
)

// openShop starts a Better Auth server on an empty database.
func openShop(t *testing.T, way, auth string) *shop {
	t.Helper()
	s := &shop{}
	gateway := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(s.bridge.Load()) },
		ErrorLog: log.New(io.Discard, "", 0), // it is killed
	})
	t.Cleanup(gateway.Close)
	told, server := []string{"AUTH_DATABASE_OUTBOX=true"}, []string(nil)
	if way == byHook {
		told = []string{"BETTER_AUTH_WEBHOOK_SECRET=" + clerkKey}
		server = []string{"HOOK=" + pageCode(t, "better-auth"), "POLAR_BRIDGE_URL=" + gateway.URL + "/webhooks/better-auth", told[0]}
	}
	s.process = startBetterAuth(t, auth, server...)
	s.env, s.database = withAuthDatabase(t, databasetest.SQLite(t), auth, told...)
	s.admin = s.signUp(t, "admin")
	s.database.run(t, `UPDATE public."user" SET role = 'admin' WHERE id = $1`, s.admin.id)
	return s
}

// start starts the bridge.
func (s *shop) start(t *testing.T) *process {
	t.Helper()
	p := s.env.start(t)
	address, err := url.Parse(p.webhooks)
	require.NoError(t, err)
	s.bridge.Store(address)
	return p
}

// startBetterAuth starts a Better Auth server, which makes its tables, on the same Node
// as the official suites.
func startBetterAuth(t *testing.T, auth string, settings ...string) *process {
	t.Helper()
	require.DirExists(t, "betterauth/node_modules", "Better Auth is not installed: run make official")
	script, err := filepath.Abs("betterauth/server.mjs")
	require.NoError(t, err)
	server := &environment{settings: map[string]string{}}
	server.set(append(settings, "AUTH_DATABASE="+auth)...)
	p := server.launchBinary(t, officialNode(t), script)
	t.Cleanup(p.kill)
	require.NotEmpty(t, p.webhooks, p.output())
	return p
}

// pageCode writes the code of a provider's page to a file.
func pageCode(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile("../docs/providers/" + name + ".md")
	require.NoError(t, err)
	code := regexp.MustCompile("(?s)```ts\n(.*?)```").FindAllSubmatch(page, -1)
	require.Len(t, code, 1, "the page has one hook")
	require.LessOrEqual(t, bytes.Count(code[0][1], []byte("\n")), 25)
	path := filepath.Join(t.TempDir(), "hook.mts")
	require.NoError(t, os.WriteFile(path, code[0][1], 0o600))
	return path
}

// call posts to the server as the member and returns the status, 0 when there was no
// answer, and the user's id.
func (s *shop) call(ctx context.Context, m *member, path string, body map[string]string) (status int, id string) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, ""
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.webhooks+"/api/auth/"+path, bytes.NewReader(text))
	if err != nil {
		return 0, ""
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Origin", s.webhooks)
	response, err := m.client.Do(request)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close() //nolint:errcheck // only read
	var answer struct {
		User struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	_ = json.NewDecoder(response.Body).Decode(&answer) // an error says nothing of a user
	return response.StatusCode, answer.User.ID
}

func newMember(t *testing.T, name string) *member {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &member{email: name + "@shop.example", client: &http.Client{Jar: jar}}
}

// join signs the member up, who is a customer from then on.
func (s *shop) join(t *testing.T, m *member) {
	t.Helper()
	status, id := s.call(t.Context(), m, "sign-up/email", map[string]string{"email": m.email, "name": m.email, "password": "a-long-password"})
	require.Equal(t, http.StatusOK, status, s.output())
	m.id = id
	s.env.polar.AddCustomer(polartest.Customer{ExternalID: id, Email: m.email, CreatedAt: longAgo(), ActiveSubscriptions: 1})
}

func (s *shop) signUp(t *testing.T, name string) *member {
	t.Helper()
	m := newMember(t, name)
	s.join(t, m)
	return m
}

// leave has the member delete the account, and returns the status.
func (s *shop) leave(ctx context.Context, m *member) int {
	status, _ := s.call(ctx, m, "delete-user", map[string]string{})
	return status
}

// remove has the administrator remove the member, and returns the status.
func (s *shop) remove(ctx context.Context, m *member) int {
	status, _ := s.call(ctx, s.admin, "admin/remove-user", map[string]string{"userId": m.id})
	return status
}

// lives says whether the member is a user, as far as the database can be asked.
func (s *shop) lives(ctx context.Context, m *member) bool {
	var n int
	err := s.database.QueryRowContext(ctx, `SELECT count(*) FROM public."user" WHERE id = $1`, m.id).Scan(&n)
	return err != nil || n > 0
}

// orphans are the customers without a user.
func (s *shop) orphans(t *testing.T) []string {
	t.Helper()
	return found(t, s.env.bridge(t, 0, "reconcile", "--provider", "better-auth", "--max-share", "100%", "--json"))
}

func ids(members []*member) (all []string) {
	for _, m := range members {
		all = append(all, m.id)
	}
	return all
}

func TestBetterAuth(t *testing.T) {
	t.Parallel()
	for _, way := range []string{byHook, byOutbox} {
		t.Run("tells of deletions by "+way, func(t *testing.T) {
			t.Parallel()
			s := openShop(t, way, databasetest.Postgres(t))
			p := s.start(t)
			self, removed, bySQL, refused := s.signUp(t, "self"), s.signUp(t, "removed"), s.signUp(t, "by-sql"), s.signUp(t, "refused")
			rolledBack := s.signUp(t, "rolled-back")
			s.database.run(t, `CREATE TABLE public.orders (buyer text REFERENCES public."user")`)
			s.database.run(t, `INSERT INTO public.orders VALUES ($1)`, refused.id)
			guest := newMember(t, "guest")
			status, anonymous := s.call(t.Context(), guest, "sign-in/anonymous", map[string]string{})
			require.Equal(t, http.StatusOK, status, s.output())
			s.env.polar.AddCustomer(polartest.Customer{ExternalID: anonymous, CreatedAt: longAgo()})

			s.join(t, guest)
			require.False(t, s.lives(t.Context(), &member{id: anonymous}), "the anonymous user goes")
			require.Equal(t, http.StatusInternalServerError, s.leave(t.Context(), refused))
			s.database.run(t, `BEGIN; DELETE FROM public."user" WHERE id = '`+rolledBack.id+`'; ROLLBACK`)
			require.Equal(t, http.StatusOK, s.leave(t.Context(), self), s.output())
			require.Equal(t, http.StatusOK, s.remove(t.Context(), removed), s.output())
			s.database.run(t, `DELETE FROM public."user" WHERE id = $1`, bySQL.id)

			gone, stay := []*member{self, removed}, []*member{refused, rolledBack, guest, {id: anonymous}, s.admin}
			if way == byHook {
				p.waitMetric(t, `polar_bridge_events_total{outcome="ignored",provider="better-auth"}`, 1, time.Second)
				stay = append(stay, bySQL)
			} else {
				gone = append(gone, bySQL)
			}
			s.env.waitDeleted(t, ids(gone), 30*time.Second)
			p.waitMetric(t, outboxAccepted, float64(len(gone)), 10*time.Second)
			for _, m := range stay {
				require.True(t, s.env.polar.Exists(m.id), m.email)
			}
			if way == byHook {
				require.ElementsMatch(t, []string{anonymous, bySQL.id}, s.orphans(t), "what the page says to do")
			}
		})
	}
}

// Polar's own plugin deletes customers, too.
func TestBetterAuthWithPolarsOwnPlugin(t *testing.T) {
	t.Parallel()
	for createCustomer, outcome := range map[bool]string{true: "not_found", false: "deleted"} {
		t.Run(fmt.Sprintf("createCustomerOnSignUp %t ends as %s", createCustomer, outcome), func(t *testing.T) {
			t.Parallel()
			auth := databasetest.Postgres(t)
			s := openShop(t, byOutbox, auth)
			s.start(t)
			m := s.signUp(t, "self")
			// The same shop, with the plugin from now on.
			s.process = startBetterAuth(t, auth, fmt.Sprintf("CREATE_CUSTOMER=%t", createCustomer),
				"POLAR_SERVER_URL="+s.env.settings["POLAR_BASE_URL"], "POLAR_ACCESS_TOKEN="+polarToken)
			require.Equal(t, http.StatusOK, s.leave(t.Context(), m), s.output())
			require.Equal(t, outcome, s.env.deletion(t, m.id, "done").Outcome)
			require.False(t, s.env.polar.Exists(m.id))
			for _, e := range s.env.journal() {
				if e.Committed {
					require.Equal(t, !createCustomer, e.Anonymize, "POLAR_ANONYMIZE is on")
				}
			}
		})
	}
}
