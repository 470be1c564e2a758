package console_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/binding"
	"github.com/polar-bridge/polar-bridge/internal/console"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

const password = "correct horse battery"

// site is a console on a real database and the admin listener's handler, which no server
// works, and somebody with a browser's cookies.
type site struct {
	*httptest.Server

	db       *database.DB
	operator *ops.Operator // "cli:bob": somebody else
	polar    *polartest.Server
	logs     *observer.ObservedLogs
	status   console.Status
	clock    atomic.Pointer[time.Time]
	client   *http.Client
}

func open(t testing.TB, db *database.DB, change ...func(o *console.Options, a *handlers.AdminOptions)) *site {
	t.Helper()
	s := &site{db: db}
	s.now(time.Now())
	now := func() time.Time { return *s.clock.Load() }
	core, logs := observer.New(zapcore.DebugLevel)
	s.logs = logs
	bindings, err := binding.NewStore(db.Main, db.SQL)
	require.NoError(t, err)
	store, err := queue.NewStore(db.Driver(), db.SQL, []byte("key"), func() int64 { return binding.First }, zap.NewNop())
	require.NoError(t, err)
	s.operator, err = ops.New(ops.Options{
		Store: store, Bindings: bindings, SQL: db.SQL, DB: db.Main, Reader: db.Reader, Logger: zap.New(core),
		LogID: queue.LogID(queue.LogPlain, []byte("key")), Now: now, By: "cli:bob",
	})
	require.NoError(t, err)
	s.polar = polartest.Start(t, polartest.Options{Token: "polar_oat_0123456789"})
	client := polar.New(polar.Options{BaseURL: s.polar.URL(), Token: func() string { return "polar_oat_0123456789" }, Timeout: 5 * time.Second, Now: now})
	t.Cleanup(client.CloseIdleConnections)
	o := console.Options{
		Operator: s.operator, Password: func() string { return password }, Key: []byte("key"),
		Depth: s.depth, Status: func(context.Context) (console.Status, error) { return s.status, nil },
		Checks:  ops.Checks{Providers: []string{"auth0", "clerk"}, Enabled: []string{"clerk"}, SharesIDs: func(string) bool { return true }},
		Polar:   client,
		Limiter: freely{}, CustomerURL: "https://polar.sh/to/dashboard/customers/",
		ShowID: queue.LogID(queue.LogPlain, []byte("key")), Logger: zap.New(core), Now: now,
	}
	a := handlers.AdminOptions{Gatherer: prometheus.NewRegistry(), Ready: func(context.Context) error { return nil }, Logger: zap.New(core)}
	for _, change := range change {
		change(&o, &a)
	}
	a.Console, err = console.New(o)
	require.NoError(t, err)
	s.Server = httptest.NewServer(handlers.NewAdmin(a))
	t.Cleanup(s.Close)
	s.client = s.stranger(t)
	return s
}

// freely gives every permit.
type freely struct{}

func (freely) Acquire(context.Context, int) (deletion.Permit, deletion.Decision) {
	return freely{}, nil
}
func (freely) Charge(context.Context) error                    { return nil }
func (freely) Report(context.Context, deletion.Decision) error { return nil }

// depth counts as the servers do.
func (s *site) depth(ctx context.Context) (queue.Depth, error) {
	stats, err := s.operator.Stats(ctx)
	d := queue.Depth{Pending: make(map[deletion.State]int), Held: stats.Held, OldestWaiting: stats.OldestWaiting}
	for _, p := range stats.Providers {
		d.Pending[deletion.StateHeld] += p.Held
		d.Pending[deletion.StateWaiting] += p.Waiting
		d.Pending[deletion.StateReappeared] += p.Reappeared
	}
	return d, err
}

func (s *site) now(at time.Time) { s.clock.Store(&at) }

// later lets so much time go by.
func (s *site) later(d time.Duration) { s.now(s.clock.Load().Add(d)) }

// stranger is somebody who is not signed in.
func (s *site) stranger(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := &http.Client{Jar: jar, Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// answer is what a request came to, after redirects.
type answer struct {
	status int
	path   string
	text   string
	header http.Header
}

func (s *site) do(t testing.TB, client *http.Client, r *http.Request) answer {
	t.Helper()
	response, err := client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Request.URL.RequestURI(), string(text), response.Header}
}

func (s *site) request(t testing.TB, method, path string, form url.Values) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return r
}

func (s *site) get(t testing.TB, path string) answer {
	t.Helper()
	return s.do(t, s.client, s.request(t, http.MethodGet, path, nil))
}

// post sends a form: names and values by turns.
func (s *site) post(t testing.TB, path string, pairs ...string) answer {
	t.Helper()
	return s.do(t, s.client, s.request(t, http.MethodPost, path, form(pairs...)))
}

func form(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values
}

// signIn as alice.
func (s *site) signIn(t testing.TB) *site {
	t.Helper()
	got := s.post(t, "/ui/login", "name", "alice", "password", password)
	require.Equal(t, 200, got.status, s.logs.All())
	require.Equal(t, "/ui/", got.path)
	return s
}

// accept stores deletions of these external ids, whose events have the same names.
func (s *site) accept(t testing.TB, ids ...string) {
	t.Helper()
	now := *s.clock.Load()
	var all []deletion.Deletion
	for _, id := range ids {
		all = append(all, deletion.Deletion{Provider: "clerk", EventID: "evt_" + id, UserID: id, ExternalID: id, Source: deletion.SourceWebhook, OccurredAt: now, ReceivedAt: now})
	}
	_, err := s.operator.Acceptor(false).Accept(t.Context(), all)
	require.NoError(t, err)
}

// set changes columns of a person's row; in values, $1 is the external id.
func (s *site) set(t testing.TB, id, columns string, values ...any) {
	t.Helper()
	_, err := s.db.Main.ExecContext(t.Context(), "UPDATE polar_bridge_deletions SET "+columns+" WHERE external_id = $1", append([]any{id}, values...)...)
	require.NoError(t, err)
}

// hold stores deletions that are held.
func (s *site) hold(t testing.TB, reason deletion.HoldReason, ids ...string) {
	t.Helper()
	s.accept(t, ids...)
	for _, id := range ids {
		s.set(t, id, "state = 'held', hold_reason = $2, held_at = $3, job_id = 0, customer_id = 'c_' || external_id, active_subscriptions = 1, granted_benefits = 0", string(reason), queue.Micros(*s.clock.Load()))
	}
}

// find returns the newest deletion of a person.
func (s *site) find(t testing.TB, id string) queue.Record {
	t.Helper()
	for r, err := range s.operator.List(t.Context(), ops.Filter{ExternalID: id, Limit: 1}) {
		require.NoError(t, err)
		found, err := s.operator.Find(t.Context(), r.ID)
		require.NoError(t, err)
		return found
	}
	require.FailNow(t, "no such deletion", id)
	return queue.Record{}
}

// idsOf are the form's fields that tick these persons' deletions.
func (s *site) idsOf(t testing.TB, people ...string) (pairs []string) {
	t.Helper()
	for _, id := range people {
		pairs = append(pairs, "id", fmt.Sprint(s.find(t, id).ID))
	}
	return pairs
}

// ask opens the question about these persons' deletions and returns its path.
func (s *site) ask(t testing.TB, verb string, people ...string) string {
	t.Helper()
	got := s.post(t, "/ui/choose", append(s.idsOf(t, people...), "verb", verb)...)
	require.Equal(t, 200, got.status, got.text)
	require.Regexp(t, `^/ui/questions/[A-Z2-7]{26}$`, got.path)
	return got.path
}

// fill stores n deletions that are held as mass_deletion, without jobs.
func fill(t testing.TB, db *database.DB, n int) {
	t.Helper()
	_, err := db.Main.ExecContext(t.Context(), fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO polar_bridge_deletions (idempotency_key, provider, event_id, dry_run, variant, source, instance, user_id, external_id, unusable_id,
			occurred_at, received_at, state, hold_reason, held_at)
		SELECT 'k' || i, 'clerk', 'evt_' || i, FALSE, '', 'webhook', '', 'user_' || i, 'user_' || i, '', %[2]d, %[2]d, 'held', 'mass_deletion', %[2]d FROM n`,
		n, queue.Micros(time.Now())))
	require.NoError(t, err)
}

func trusting(network string) func(*console.Options, *handlers.AdminOptions) {
	return func(_ *console.Options, a *handlers.AdminOptions) {
		a.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(network)}
	}
}
