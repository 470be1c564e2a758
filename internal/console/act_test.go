package console_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/console"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestOneDeletionIsDecided(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db).signIn(t)
		s.hold(t, deletion.HoldTeam, "approved", "retried", "cancelled")
		s.accept(t, "acknowledged")
		s.set(t, "acknowledged", "state = 'reappeared', outcome = 'deleted', verification = 'found', job_id = 0")
		for verb, want := range map[string]struct {
			state     deletion.State
			past      string
			announced string
		}{
			"approve":     {deletion.StateWaiting, "approved", "the customers are deleted at Polar for good"},
			"retry":       {deletion.StateWaiting, "retried", "will be tried now, with all guards"},
			"cancel":      {deletion.StateCancelled, "cancelled", "may go on being charged"},
			"acknowledge": {deletion.StateDone, "acknowledged", "deletes nobody"},
		} {
			path := s.ask(t, verb, want.past)
			text := s.get(t, path).text
			require.Contains(t, text, want.announced)
			require.Contains(t, text, "This cannot be undone.")
			require.NotContains(t, text, `name="number"`, "one needs no number")
			got := s.post(t, path, "because", "asked to stay")
			require.Equal(t, 200, got.status)
			require.Contains(t, got.text, "1 deletion "+want.past+".")
			r := s.find(t, want.past)
			require.Equal(t, want.state, r.State)
			require.Equal(t, "console:alice", r.Actions[0].By)
			if verb == "cancel" {
				require.Equal(t, "asked to stay", r.Actions[0].Reason)
			}
		}
		require.Len(t, s.logs.FilterMessage("operator action").All(), 4)
	})
}

func TestACancelNeedsAReason(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db).signIn(t)
		s.hold(t, deletion.HoldTeam, "user_1")
		path := s.ask(t, "cancel", "user_1")
		for _, wrong := range []string{"", "  ", "two\nlines", strings.Repeat("x", 501)} {
			require.Equal(t, 400, s.post(t, path, "because", wrong).status)
		}
		require.Equal(t, deletion.StateHeld, s.find(t, "user_1").State)
	})
}

func TestManyDeletionsAreDecided(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db).signIn(t)
		s.hold(t, deletion.HoldMassDeletion, "user_1", "user_2", "user_3")
		s.hold(t, deletion.HoldTeam, "team")
		s.hold(t, deletion.HoldRejected, "rejected")

		// The ticked ones, without those that cannot be approved.
		path := s.ask(t, "approve", "user_1", "user_2", "rejected")
		text := s.get(t, path).text
		require.Contains(t, text, "Type 2 to approve 2 deletions")
		require.Contains(t, text, fmt.Sprintf(`Left out of the ticked ones, because this cannot be done to them: <a href="/ui/deletions/%[1]d">%[1]d`, s.find(t, "rejected").ID))
		require.Contains(t, text, "2 active subscriptions")
		for _, wrong := range []string{"", "3", "1", "2.0", "two"} {
			got := s.post(t, path, "number", wrong)
			require.Equal(t, 400, got.status)
			require.Contains(t, got.text, "Nothing was done: type the number 2")
		}
		require.Equal(t, deletion.StateHeld, s.find(t, "user_1").State)
		require.Contains(t, s.post(t, path, "number", "2").text, "2 deletions approved.")

		// All that the filter finds, and nothing that comes afterwards.
		got := s.post(t, "/ui/choose", "verb", "cancel", "which", "all", "filter", "state=held&reason=mass_deletion")
		require.Contains(t, got.text, "held as mass_deletion")
		require.NotContains(t, got.text, `name="number"`)
		s.hold(t, deletion.HoldMassDeletion, "user_4")
		require.Contains(t, s.post(t, got.path, "because", "a test run").text, "1 deletion cancelled.")
		for id, want := range map[string]deletion.State{
			"user_1": deletion.StateWaiting, "user_2": deletion.StateWaiting, "user_3": deletion.StateCancelled,
			"user_4": deletion.StateHeld, "team": deletion.StateHeld, "rejected": deletion.StateHeld,
		} {
			require.Equal(t, want, s.find(t, id).State, id)
		}
	})
}

func TestAStaleQuestion(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db).signIn(t)
		s.hold(t, deletion.HoldTeam, "user_1", "user_2", "user_3")
		one, all := s.ask(t, "approve", "user_1"), s.ask(t, "approve", "user_1", "user_2", "user_3")
		_, err := s.operator.Cancel(t.Context(), s.find(t, "user_1").ID, "somebody else decided")
		require.NoError(t, err)

		got := s.post(t, one)
		require.Equal(t, 409, got.status)
		require.Contains(t, got.text, "Nothing was approved.")
		require.Contains(t, got.text, "1 deletion changed since the question was asked")

		got = s.post(t, all, "number", "3")
		require.Contains(t, got.text, "2 deletions approved.")
		require.Contains(t, got.text, fmt.Sprintf(`perhaps because somebody else decided: <a href="/ui/deletions/%d">`, s.find(t, "user_1").ID))
		require.Equal(t, deletion.StateCancelled, s.find(t, "user_1").State)
		require.Equal(t, deletion.StateWaiting, s.find(t, "user_2").State)

		// Answered again, by a second click, it says what became of it and does nothing.
		require.NoError(t, s.operator.Retry(t.Context(), s.find(t, "user_2").ID))
		actions := len(s.find(t, "user_2").Actions)
		require.Contains(t, s.post(t, all, "number", "3").text, "2 deletions approved.")
		require.Contains(t, s.get(t, all).text, "2 deletions approved.")
		require.Len(t, s.find(t, "user_2").Actions, actions)
	})
}

func TestTwoAnswersAtOnceActOnce(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db).signIn(t)
		s.hold(t, deletion.HoldTeam, "user_1")
		path := s.ask(t, "retry", "user_1")
		var answers sync.WaitGroup
		for range 4 {
			r := s.request(t, "POST", path, url.Values{})
			answers.Go(func() {
				response, err := s.client.Do(r)
				if err == nil {
					response.Body.Close() //nolint:errcheck // only its end is awaited
				}
			})
		}
		answers.Wait()
		require.Len(t, s.find(t, "user_1").Actions, 1)
	})
}

func TestAQuestionHoldsForTenMinutes(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db).signIn(t)
		s.hold(t, deletion.HoldTeam, "user_1")
		path := s.ask(t, "approve", "user_1")
		s.later(10*time.Minute - time.Second)
		require.Equal(t, 200, s.get(t, path).status)
		s.later(time.Second)
		for _, got := range []answer{s.get(t, path), s.post(t, path), s.post(t, "/ui/questions/x")} {
			require.Equal(t, 409, got.status)
			require.Contains(t, got.text, "nothing was done")
		}
		require.Equal(t, deletion.StateHeld, s.find(t, "user_1").State)
	})
}

func TestAQuestionIsAboutTenThousandAtMost(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		fill(t, db, 10_010)
		s := open(t, db).signIn(t)
		for range 12 { // more than are kept
			got := s.post(t, "/ui/choose", "verb", "approve", "which", "all", "filter", "state=held")
			require.Equal(t, 200, got.status)
			require.Contains(t, got.text, "Type 10000 to approve")
			require.Contains(t, got.text, "this is about the oldest 10000")
		}
	})
}

func TestMoreThanAServersWriteTimeoutIsAnsweredAllTheSame(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		fill(t, db, 2000)
		s := open(t, db).signIn(t)
		got := s.post(t, "/ui/choose", "verb", "cancel", "which", "all", "filter", "state=held")
		slow := httptest.NewUnstartedServer(s.Config.Handler)
		slow.Config.WriteTimeout = 200 * time.Millisecond
		slow.Start()
		t.Cleanup(slow.Close)
		s.URL = slow.URL // the cookies are the host's
		began := time.Now()
		require.Contains(t, s.post(t, got.path, "number", "2000", "because", "a test run").text, "2000 deletions cancelled.")
		require.Greater(t, time.Since(began), slow.Config.WriteTimeout)
	})
}

func TestAChoiceThatMakesNoSense(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db).signIn(t)
		s.accept(t, "user_1")
		for _, wrong := range [][]string{
			{"verb", "forget", "id", "1"},
			{"verb", "", "id", "1"},
			{"verb", "retry"},
			{"verb", "retry", "id", "x"},
			{"verb", "approve", "id", "1"},
			{"verb", "retry", "id", "77"},
			{"verb", "retry", "which", "all", "filter", "state=x"},
			{"verb", "retry", "which", "all", "filter", "%"},
		} {
			require.Equal(t, 400, s.post(t, "/ui/choose", wrong...).status, wrong)
		}
		require.Equal(t, 413, s.post(t, "/ui/choose", "verb", strings.Repeat("x", 70<<10)).status)
	})
}

func TestAPause(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db).signIn(t)
		require.Equal(t, 400, s.post(t, "/ui/pause", "wanted", "pause").status, "it needs a reason")
		require.Equal(t, 400, s.post(t, "/ui/pause").status)
		got := s.post(t, "/ui/pause", "wanted", "pause", "because", "Polar restores a backup")
		require.Equal(t, "/ui/", got.path)
		require.Contains(t, got.text, "Nothing is sent: console:alice paused all deletions")
		require.Contains(t, got.text, "Polar restores a backup")
		require.Equal(t, 409, s.post(t, "/ui/pause", "wanted", "pause", "because", "me too").status, "somebody has")
		require.Contains(t, s.get(t, "/ui/pause").text, "Resume all deletions")
		require.NotContains(t, s.post(t, "/ui/pause", "wanted", "resume").text, "paused all deletions")
		pause, err := s.operator.Paused(t.Context())
		require.NoError(t, err)
		require.False(t, pause.Paused)
	})
}

// askable is a provider that knows who exists.
type askable map[string]bool

func (a askable) Existing(_ context.Context, ids []string) (map[string]bool, error) {
	found := map[string]bool{}
	for _, id := range ids {
		if a[id] {
			found[id] = true
		}
	}
	return found, nil
}

func (a askable) IsDeleted(_ context.Context, id string) (directory.Answer, error) {
	return directory.Answer{Deleted: !a[id]}, nil
}

func TestARequestByHand(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := open(t, db, func(o *console.Options, _ *handlers.AdminOptions) {
			o.Checks.Sources = map[string]directory.Source{"clerk": {
				Directory: askable{"user_living": true}, Provider: "clerk", MaxIDs: 100, OwnsID: func(id string) bool { return strings.HasPrefix(id, "user_") },
			}}
		}).signIn(t)
		s.polar.AddCustomer(polartest.Customer{ExternalID: "user_gone", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), ActiveSubscriptions: 2})
		s.hold(t, deletion.HoldTeam, "user_held")
		s.hold(t, deletion.HoldTeam, "user_raced")
		s.set(t, "user_raced", "state = 'done', outcome = 'not_found'")

		for id, because := range map[string]string{
			"":             "No deletion can have that external id",
			"user_living":  "the user still exists at clerk: delete the user there, or tick",
			"shop_1":       "clerk cannot be asked whether the user still exists, because the external id is none of its ids: fill in the user",
			"user_held":    "deletion 1 of the same customer is held as team",
			"user_a/b":     "delete the customer in Polar&#39;s dashboard",
			"user_\u0000x": "No deletion can have that external id",
		} {
			got := s.post(t, "/ui/request", "external_id", id)
			require.Equal(t, 409, got.status, id)
			require.Contains(t, got.text, because, id)
		}
		require.Equal(t, 409, s.post(t, "/ui/request", "external_id", "user_gone", "provider", "x").status)

		got := s.post(t, "/ui/request", "external_id", "user_gone")
		require.Contains(t, got.text, "Polar has a customer (individual, created 2026-01-02 03:04:05, 2 active subscriptions), who will be deleted for good.")
		require.Equal(t, 400, s.post(t, got.path).status, "it needs a reason")
		require.Contains(t, s.post(t, got.path, "because", "e-mail of 2026-11-30").text, "Requested: ")
		r := s.find(t, "user_gone")
		require.Equal(t, deletion.StateWaiting, r.State)
		require.Equal(t, deletion.SourceOperator, r.Source)
		require.Equal(t, [2]string{"console:alice", "e-mail of 2026-11-30"}, [2]string{r.Actions[0].By, r.Actions[0].Reason})

		got = s.post(t, "/ui/request", "external_id", "user_living", "although", "yes")
		require.Contains(t, s.post(t, got.path, "because", "e-mail").text, "Requested: ")
		require.Equal(t, []deletion.Approval{{Reason: deletion.HoldUserExists}}, s.find(t, "user_living").Approved)

		// Somebody asks for the same meanwhile.
		got = s.post(t, "/ui/request", "external_id", "user_raced")
		_, err := s.operator.Acceptor(false).Request(t.Context(), []ops.Request{{Provider: "clerk", ExternalID: "user_raced"}}, "first")
		require.NoError(t, err)
		raced := s.post(t, got.path, "because", "second")
		require.Equal(t, 409, raced.status)
		require.Contains(t, raced.text, "Nothing was requested: deletion")

		s.status.OtherOrganization = true
		require.Contains(t, s.post(t, "/ui/request", "external_id", "user_other").text, "another Polar organization")
	})
}
