package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"riverqueue.com/riverui"

	"github.com/polar-bridge/polar-bridge/internal/console"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

const password = "correct horse battery"

type desk struct {
	http.Handler
	db       *database.DB
	operator *queue.Operator
	logs     *observer.ObservedLogs
	password string
}

func open(t *testing.T, db *database.DB) *desk {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	d := &desk{db: db, logs: logs, password: password}
	viewer, err := db.OpenViewer()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, viewer.Close()) })
	client, err := queue.NewViewer(viewer.Driver(), zap.NewNop())
	require.NoError(t, err)
	d.operator, err = queue.NewOperator(queue.OperatorOptions{
		Driver: db.Driver(), DB: db.Main, Reader: db.Reader, Logger: zap.New(core),
		LogID: queue.LogID(queue.LogPlain, []byte("key")), Now: time.Now, By: "console",
	})
	require.NoError(t, err)
	d.Handler, err = console.New(console.Options{
		Endpoints: riverui.NewEndpoints(client, nil), Operator: d.operator,
		Password: func() string { return d.password }, Key: []byte("key"), Logger: zap.New(core),
	})
	require.NoError(t, err)
	return d
}

// each runs the test with the console over each kind of database.
func each(t *testing.T, test func(t *testing.T, d *desk)) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) { test(t, open(t, db)) })
}

// ask makes a signed-in request as the console's own page would.
func (d *desk) ask(t *testing.T, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.SetBasicAuth("admin", password)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return d.answer(r)
}

func (d *desk) answer(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// leave stores a deletion in a state and returns its id.
func (d *desk) leave(t *testing.T, name, state, scheduled, metadata string) int64 {
	t.Helper()
	insert, finalized := "INSERT INTO river_job (args, kind, max_attempts, attempt, queue, state, scheduled_at, finalized_at, metadata) VALUES ", "NULL"
	if state == "completed" || state == "cancelled" {
		finalized = "CURRENT_TIMESTAMP"
	}
	args := `{"provider":"clerk","event_id":"` + name + `","external_id":"user_` + name + `","version":1}`
	form := "(jsonb('%s'), 'delete_customer', 32767, 3, 'deletions', '%s', '%s', %s, jsonb('%s')) RETURNING id"
	if d.db.Dialect == database.Postgres {
		form = "('%s'::jsonb, 'delete_customer', 32767, 3, 'deletions', '%s', '%s', %s, '%s'::jsonb) RETURNING id"
	}
	var id int64
	require.NoError(t, d.db.Main.QueryRowContext(t.Context(), insert+fmt.Sprintf(form, args, state, scheduled, finalized, metadata)).Scan(&id))
	return id
}

func (d *desk) waiting(t *testing.T) int64 {
	t.Helper()
	return d.leave(t, "e1", "retryable", "2099-01-01 00:00:00", "{}")
}

func (d *desk) held(t *testing.T, name string) int64 {
	t.Helper()
	return d.leave(t, name, "scheduled", "2226-01-01 00:00:00", `{"hold_reason":"team","held_at":"2026-11-01T00:00:00Z","customer_id":"cus_at_polar"}`)
}

func (d *desk) find(t *testing.T, id int64) queue.Record {
	t.Helper()
	r, err := d.operator.Find(t.Context(), id)
	require.NoError(t, err)
	return r
}

func TestOnlyThePasswordLetsIn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *desk) {
		for _, path := range []string{"/ui/", "/ui/api/jobs", "/ui/api/nonsense", "/ui/robots.txt"} {
			w := d.answer(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
			require.Equal(t, http.StatusUnauthorized, w.Code, path)
			require.Contains(t, w.Header().Get("WWW-Authenticate"), "Basic")
		}
		require.Equal(t, http.StatusOK, d.ask(t, http.MethodGet, "/ui/", "").Code)
		d.password = "" // the file is gone and nothing was ever read
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ui/", nil)
		r.SetBasicAuth("admin", "")
		require.Equal(t, http.StatusUnauthorized, d.answer(r).Code)
	})
}

// guess makes a request with a password from an address, with cookies.
func (d *desk) guess(t *testing.T, from, with string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ui/robots.txt", nil)
	r.RemoteAddr = from
	r.SetBasicAuth("admin", with)
	for _, cookie := range cookies {
		r.AddCookie(cookie)
	}
	return d.answer(r)
}

func TestWrongPasswords(t *testing.T) {
	t.Parallel()
	const wrong, stranger, elsewhere = "wrong horse battery", "192.0.2.1:1", "192.0.2.2:1"
	opened := func(t *testing.T) *desk { return open(t, databasetest.OpenMigrated(t, databasetest.SQLite(t))) }

	t.Run("are judged five times in a row and then every two seconds, per address", func(t *testing.T) {
		t.Parallel()
		d := opened(t)
		synctest.Test(t, func(t *testing.T) {
			judged := 0
			for range 7400 {
				if d.guess(t, stranger, wrong).Code == http.StatusUnauthorized {
					judged++
				}
			}
			require.Equal(t, 5, judged)
			refused := d.guess(t, "192.0.2.1:2", password)
			require.Equal(t, http.StatusTooManyRequests, refused.Code, "the right one among too many is not judged either")
			require.Equal(t, "2", refused.Header().Get("Retry-After"))
			require.Equal(t, http.StatusOK, d.guess(t, elsewhere, password).Code)
			<-time.After(2 * time.Second)
			require.Equal(t, http.StatusUnauthorized, d.guess(t, stranger, wrong).Code)
			require.Equal(t, http.StatusTooManyRequests, d.guess(t, stranger, wrong).Code)
			<-time.After(2 * time.Second)
			require.Equal(t, http.StatusOK, d.guess(t, stranger, password).Code)
		})
		for _, line := range d.logs.All() {
			require.NotContains(t, fmt.Sprint(line.ContextMap()), "horse")
		}
	})
	t.Run("do not lock out who has signed in, even from the same address", func(t *testing.T) {
		t.Parallel()
		d := opened(t)
		synctest.Test(t, func(t *testing.T) {
			signedIn := d.guess(t, stranger, password)
			require.Equal(t, http.StatusOK, signedIn.Code)
			cookies := signedIn.Result().Cookies()
			require.Len(t, cookies, 1)
			require.True(t, cookies[0].HttpOnly)
			for range 100 {
				d.guess(t, stranger, wrong)
			}
			require.Equal(t, http.StatusTooManyRequests, d.guess(t, stranger, password).Code)
			for range 20 {
				answer := d.guess(t, stranger, password, cookies...)
				require.Equal(t, http.StatusOK, answer.Code)
				require.Empty(t, answer.Header().Get("Set-Cookie"), "it has one")
			}
			forged := *cookies[0]
			forged.Value = "x" + forged.Value[1:]
			require.Equal(t, http.StatusTooManyRequests, d.guess(t, stranger, password, &forged).Code)

			// A session replaces no password, and its guesses are bounded as well.
			codes := map[int]int{}
			for range 20 {
				codes[d.guess(t, elsewhere, wrong, cookies...).Code]++
			}
			require.Equal(t, map[int]int{http.StatusUnauthorized: 5, http.StatusTooManyRequests: 15}, codes)
			<-time.After(13 * time.Hour)
			require.NotEmpty(t, d.guess(t, stranger, password, cookies...).Header().Get("Set-Cookie"), "it has ended")
		})
	})
	t.Run("from many addresses are bounded together", func(t *testing.T) {
		t.Parallel()
		d := opened(t)
		synctest.Test(t, func(t *testing.T) {
			cookies := d.guess(t, elsewhere, password).Result().Cookies()
			judged := 0
			for i := range 10_000 {
				from := fmt.Sprintf("10.%d.%d.1:1", i/256, i%256)
				if d.guess(t, from, wrong).Code == http.StatusUnauthorized {
					judged++
				}
			}
			require.Equal(t, 100, judged)
			require.Equal(t, http.StatusOK, d.guess(t, elsewhere, password, cookies...).Code)
		})
	})
	t.Run("from one IPv6 network are one guesser's", func(t *testing.T) {
		t.Parallel()
		d := opened(t)
		synctest.Test(t, func(t *testing.T) {
			judged := 0
			for i := range 50 {
				if d.guess(t, fmt.Sprintf("[2001:db8::%x]:1", i), wrong).Code == http.StatusUnauthorized {
					judged++
				}
			}
			require.Equal(t, 5, judged)
			require.Equal(t, http.StatusUnauthorized, d.guess(t, "[2001:db8:1::1]:1", wrong).Code)
		})
	})
}

func TestOtherSitesCanNeitherActNorFrame(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *desk) {
		id := d.waiting(t)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ui/api/jobs/cancel", strings.NewReader(fmt.Sprintf(`{"ids":["%d"]}`, id)))
		r.SetBasicAuth("admin", password)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		require.Equal(t, http.StatusForbidden, d.answer(r).Code)
		require.Equal(t, queue.StateWaiting, d.find(t, id).State)

		h := d.ask(t, http.MethodGet, "/ui/", "").Header()
		require.Equal(t, "DENY", h.Get("X-Frame-Options"))
		require.Contains(t, h.Get("Content-Security-Policy"), "frame-ancestors 'none'")
		require.Contains(t, h.Get("X-Robots-Tag"), "noindex")
		require.Equal(t, "no-store", h.Get("Cache-Control"))
	})
}

func TestWhatIsNotKnownIsRefusedWithASentence(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *desk) {
		id := d.held(t, "e1")
		body := fmt.Sprintf(`{"ids":["%d"]}`, id)
		for _, request := range [][2]string{
			{http.MethodPost, "/ui/api/jobs/delete"},
			{http.MethodDelete, fmt.Sprint("/ui/api/jobs/", id)},
			{http.MethodPatch, "/ui/api/queues/deletions"},
			{http.MethodPost, "/ui/api/workflows"},
			{http.MethodGet, "/ui/api/workflows"},
			{http.MethodPost, "/ui/%61pi/jobs/delete"},
			{http.MethodPost, "/ui/"},
			{"BREW", "/ui/api/jobs/delete"},
			{http.MethodPut, "/ui/api/queues/other/pause"},
		} {
			w := d.ask(t, request[0], request[1], body)
			require.Equal(t, http.StatusForbidden, w.Code, request)
			require.NotEmpty(t, w.Body.String())
		}
		require.Contains(t, d.ask(t, http.MethodPost, "/ui/api/jobs/delete", body).Body.String(), "polar-bridge deletions approve ID")
		require.Equal(t, queue.StateHeld, d.find(t, id).State)
	})
}

func TestRetryIsForWaitingDeletionsAndIsAllOrNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *desk) {
		waiting, held := d.waiting(t), d.held(t, "e2")
		done := d.leave(t, "e3", "completed", "2026-01-01 00:00:00", "{}")
		for _, other := range []int64{held, done} {
			w := d.ask(t, http.MethodPost, "/ui/api/jobs/retry", fmt.Sprintf(`{"ids":["%d","%d"]}`, waiting, other))
			require.Equal(t, http.StatusConflict, w.Code, w.Body.String())
			require.Empty(t, d.find(t, waiting).Actions, "all or nothing")
		}
		w := d.ask(t, http.MethodPost, "/ui/api/jobs/retry", fmt.Sprintf(`{"ids":[%d]}`, held))
		require.Contains(t, w.Body.String(), fmt.Sprintf("polar-bridge deletions show %d", held))
		require.Equal(t, queue.StateHeld, d.find(t, held).State)
		require.Zero(t, d.logs.FilterMessage("operator action").Len())

		require.Equal(t, http.StatusOK, d.ask(t, http.MethodPost, "/ui/api/jobs/retry", fmt.Sprintf(`{"ids":["%d"]}`, waiting)).Code)
		actions := d.find(t, waiting).Actions
		require.Len(t, actions, 1)
		require.Equal(t, "console", actions[0].By)
		require.Equal(t, "retry", actions[0].Action)
		require.Equal(t, 1, d.logs.FilterMessage("operator action").Len())
	})
}

func TestCancelStandsOnTheDeletionAndIsAllOrNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *desk) {
		waiting, held := d.waiting(t), d.held(t, "e2")
		done := d.leave(t, "e3", "completed", "2026-01-01 00:00:00", "{}")
		w := d.ask(t, http.MethodPost, "/ui/api/jobs/cancel", fmt.Sprintf(`{"ids":["%d","%d"]}`, waiting, done))
		require.Equal(t, http.StatusConflict, w.Code)
		require.Equal(t, queue.StateWaiting, d.find(t, waiting).State)
		w = d.ask(t, http.MethodPost, "/ui/api/jobs/cancel", fmt.Sprintf(`{"ids":["%d","%d"]}`, waiting, held))
		require.Equal(t, http.StatusOK, w.Code, w.Body.String())
		for _, id := range []int64{waiting, held} {
			r := d.find(t, id)
			require.Equal(t, queue.StateCancelled, r.State)
			require.Equal(t, "console", r.Actions[0].By)
		}
		for _, body := range []string{``, `{}`, `{"ids":[]}`, `{"ids":["x"]}`, `{"ids":[1],"all":true}`, `{"ids":[` + strings.Repeat("1,", 1000) + `1]}`} {
			require.Equal(t, http.StatusBadRequest, d.ask(t, http.MethodPost, "/ui/api/jobs/cancel", body).Code, body)
		}
	})
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *desk) {
		require.Equal(t, http.StatusOK, d.ask(t, http.MethodPut, "/ui/api/queues/deletions/pause", "{}").Code)
		pause, err := d.operator.Paused(t.Context())
		require.NoError(t, err)
		require.True(t, pause.Paused)
		require.Equal(t, "console", pause.By)
		require.Equal(t, http.StatusOK, d.ask(t, http.MethodPut, "/ui/api/queues/deletions/resume", "{}").Code)
		pause, err = d.operator.Paused(t.Context())
		require.NoError(t, err)
		require.False(t, pause.Paused)
	})
}

func TestAJobShowsWhatHappened(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *desk) {
		held := d.held(t, "e1")
		done := d.leave(t, "e2", "completed", "2026-01-01 00:00:00", `{"output":{"outcome":"deleted"},"customer_id":"cus_at_polar"}`)
		text := d.ask(t, http.MethodGet, fmt.Sprint("/ui/api/jobs/", held), "").Body.String()
		for _, part := range []string{"clerk", "e1", "user_e1", "team", "cus_at_polar"} {
			require.Contains(t, text, part)
		}
		text = d.ask(t, http.MethodGet, fmt.Sprint("/ui/api/jobs/", done), "").Body.String()
		require.Contains(t, text, "deleted")
		require.Contains(t, text, "cus_at_polar")
		for _, path := range []string{"jobs?state=scheduled", "jobs", "queues", "states", "features", "version"} {
			w := d.ask(t, http.MethodGet, "/ui/api/"+path, "")
			require.Equal(t, http.StatusOK, w.Code, "%s: %s", path, w.Body.String())
		}
	})
}

// Whatever River's console tried, its handle would not let it.
func TestTheViewerOnlyReads(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *desk) {
		id := d.waiting(t)
		viewer, err := d.db.OpenViewer()
		require.NoError(t, err)
		defer viewer.Close() //nolint:errcheck // only read
		client, err := queue.NewViewer(viewer.Driver(), zap.NewNop())
		require.NoError(t, err)
		_, err = client.JobDelete(t.Context(), id)
		require.Error(t, err)
		require.Equal(t, queue.StateWaiting, d.find(t, id).State)
	})
}
