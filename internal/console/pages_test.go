package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/console"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

func TestTheOverviewSays(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db).signIn(t)
		require.Contains(t, s.get(t, "/ui/").text, "Nothing is lost, late or wrong.", "that all is well")

		s.hold(t, deletion.HoldTeam, "user_1", "user_2")
		s.hold(t, deletion.HoldConflict, "user_3")
		s.accept(t, "user_4", "user_5", "user_6")
		s.set(t, "user_5", "state = 'done', outcome = 'deleted', finished_at = $2", queue.Micros(time.Now()))
		s.set(t, "user_6", "state = 'reappeared', outcome = 'deleted', verification = 'found', finished_at = $2", queue.Micros(time.Now()))
		text := s.get(t, "/ui/").text
		require.NotContains(t, text, "Nothing is lost")
		require.Contains(t, text, "3 deletions wait for somebody to decide.")
		require.Regexp(t, `reason=team[^>]*>team</a></td><td data-label="Held" class="number">2`, text, "what is held, by reason")
		require.Contains(t, text, "The customer is a team")
		require.Contains(t, text, "1 customer deleted, and found again or still charged.")
		require.Regexp(t, `<b>1</b> waiting`, text)
		require.Regexp(t, `<b>2</b> deleted in 24 hours`, text)
		require.Contains(t, text, `<span class="key deleted">2 deleted</span> at most 2 in one hour.`)
		require.Regexp(t, `<rect [^>]*height="100" class="deleted"><title>\d\d:00 UTC: 2 deleted</title>`, text)
		require.NotContains(t, text, "Deletions are late")

		s.later(2 * time.Hour)
		require.Contains(t, s.get(t, "/ui/").text, "Deletions are late: the oldest was due 2 hours ago.", "what is late")

		_, err := s.operator.Pause(t.Context(), "a look at Polar")
		require.NoError(t, err)
		s.later(3 * time.Minute)
		s.status = console.Status{
			Paused: deletion.WaitUnauthorized, OtherOrganization: true, Damaged: true,
			Answers:    []console.Answer{{At: time.Now(), Operation: "delete_customer", Code: "204", Took: 12 * time.Millisecond}},
			Reconciled: []console.Reconciled{{Provider: "clerk", At: time.Now(), Orphans: 7}},
			Customers:  console.Customers{At: time.Now(), Present: 40, Lost: 60},
		}
		text = s.get(t, "/ui/").text
		for _, want := range []string{
			"cli:bob paused all deletions", "a look at Polar", "Polar refuses the token", "another Polar organization", "The database is damaged",
			"<code>204</code> delete_customer", "7 customers at Polar whose user is gone at clerk",
			"Most customers at Polar cannot be found", "40 can be found by a deletion, 60 cannot",
		} {
			require.Contains(t, text, want)
		}
	})
}

func TestTheListFindsAPerson(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db).signIn(t)
		s.hold(t, deletion.HoldTeam, "user_1", "user_2")
		s.accept(t, "user_3")
		rows := func(query string) (ids []string) {
			text := s.get(t, "/ui/deletions?"+query).text
			for _, id := range []string{"user_1", "user_2", "user_3"} {
				if strings.Contains(text, `class="id">`+id+"<") {
					ids = append(ids, id)
				}
			}
			return ids
		}
		require.Equal(t, []string{"user_1", "user_2", "user_3"}, rows(""))
		for _, id := range []string{"user_1", "evt_user_1", "c_user_1"} {
			require.Equal(t, []string{"user_1"}, rows("q="+id), "by "+id)
		}
		require.Equal(t, []string{"user_1", "user_2"}, rows("state=held&reason=team&order=oldest"))
		require.Equal(t, []string{"user_3"}, rows("state=waiting&provider=clerk&from=2020-01-01&to=2999-01-01"))
		require.Empty(t, rows("to=2020-01-01"))
		require.Empty(t, rows("outcome=deleted"))
		for _, wrong := range []string{"state=x", "reason=x", "outcome=x", "provider=x", "from=yesterday", "to=x", "after=x", "state=done&reason=team"} {
			require.Equal(t, 400, s.get(t, "/ui/deletions?"+wrong).status, wrong)
		}
	})
}

func TestTheListHasPages(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		fill(t, db, 120)
		s := open(t, db).signIn(t)
		for _, order := range []string{"", "oldest"} {
			seen, path := 0, "/ui/deletions?order="+order
			for path != "" {
				text := s.get(t, path).text
				seen += strings.Count(text, `name="id"`)
				_, rest, more := strings.Cut(text, `<a href="/ui/deletions?after=`)
				path = ""
				if more {
					next, _, _ := strings.Cut(rest, `"`)
					path = "/ui/deletions?after=" + strings.ReplaceAll(next, "&amp;", "&")
				}
			}
			require.Equal(t, 120, seen)
		}
	})
}

func TestTheDetailShowsEverything(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db).signIn(t)
		s.hold(t, deletion.HoldRejected, "user_1")
		s.set(t, "user_1", "result = 'rejected', polar_status = 422, polar_error = 'RequestValidationError', decided_at = held_at, attempts = 1, customer_type = 'individual', traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'")
		r := s.find(t, "user_1")
		require.NoError(t, s.operator.Retry(t.Context(), r.ID))
		s.set(t, "user_1", "state = 'held', hold_reason = 'rejected'")
		text := s.get(t, fmt.Sprintf("/ui/deletions/%d", r.ID)).text
		for _, want := range []string{
			"Polar refused the request itself.", "422", "RequestValidationError", "c_user_1", "individual", "evt_user_1", "4bf92f3577b34da6a3ce929d0e0e4736",
			`href="https://polar.sh/to/dashboard/customers/c_user_1"`, "retry by <b>cli:bob</b>: rejected", "held as rejected",
			"Approve: Polar refused the request itself, which no approval changes",
		} {
			require.Contains(t, text, want)
		}
		require.Equal(t, 409, s.get(t, "/ui/deletions/99999").status)
		require.Equal(t, 404, s.get(t, "/ui/deletions/x").status)
		require.Equal(t, 404, s.get(t, "/ui/nowhere").status)
	})
}

func TestTheDetailShowsWhoWasFoundByMetadata(t *testing.T) {
	t.Parallel()
	s := open(t, databasetest.OpenMigrated(t, databasetest.SQLite(t))).signIn(t)
	s.hold(t, deletion.HoldAmbiguousMetadata, "user_1")
	s.set(t, "user_1", "metadata_search = 'ambiguous', metadata_customers = 'c1 c2'")
	text := s.get(t, fmt.Sprintf("/ui/deletions/%d", s.find(t, "user_1").ID)).text
	for _, want := range []string{"Several customers at Polar name the user", "in metadata: c1, c2", "Approve: several customers carry this id"} {
		require.Contains(t, text, want)
	}
}

func TestThereIsNoLinkToAnotherPolar(t *testing.T) {
	t.Parallel()
	s := onSQLite(t, func(o *console.Options, _ *handlers.AdminOptions) { o.CustomerURL = "" }).signIn(t)
	s.hold(t, deletion.HoldTeam, "user_1")
	require.NotContains(t, s.get(t, "/ui/deletions/1").text, "dashboard")
}

func TestWhatMayBeAnEMailAddressIsNeverShown(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db).signIn(t)
		s.hold(t, deletion.HoldTeam, "jane@example.com")
		s.set(t, "jane@example.com", "event_id = 'evt_1', customer_id = 'c_1'")
		id := s.find(t, "jane@example.com").ID
		for _, path := range []string{"/ui/", "/ui/deletions", fmt.Sprintf("/ui/deletions/%d", id), s.ask(t, "approve", "jane@example.com")} {
			text := s.get(t, path).text
			require.NotContains(t, text, "jane", path)
			require.Contains(t, text, "hmac:", path)
		}
		require.Contains(t, s.get(t, "/ui/deletions?q=jane@example.com").text, "hmac:", "it is found all the same")
		require.Empty(t, s.logs.FilterMessageSnippet("jane").All())
	})
}

func TestStrangersTextIsHarmless(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db).signIn(t)
		s.hold(t, deletion.HoldTeam, "<script>alert(1)</script>", "user_\u202egnp")
		text := s.get(t, "/ui/deletions").text
		require.NotContains(t, text, "<script")
		require.Contains(t, text, "&lt;script&gt;")
		require.NotContains(t, text, "\u202e")
	})
}

func TestAFaultOfOurOwnSaysNothing(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db, func(o *console.Options, _ *handlers.AdminOptions) {
			o.Status = func(context.Context) (console.Status, error) { return console.Status{}, errors.New("secret detail") }
		})
		got := s.post(t, "/ui/login", "name", "alice", "password", password)
		require.Equal(t, http.StatusInternalServerError, got.status)
		require.NotContains(t, got.text, "secret detail")
		require.Len(t, s.logs.FilterMessage("console request failed").All(), 1)
	})
}
