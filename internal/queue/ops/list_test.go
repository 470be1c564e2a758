package ops_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

func TestDeletionsAreListedByWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		mapped, other := newDeletion("e2", "u2"), newDeletion("e4", "u4")
		mapped.UserID, other.Provider = "internal", "auth0"
		s.accept(t, newDeletion("e1", "u1"), mapped, unusable("e3"), other)
		s.finish(t, "e1", time.Now())
		s.finish(t, "e2", time.Now())
		s.set(t, "e2", "customer_id = 'c2'")
		fill(t, db, 1200, deletion.HoldTeam)

		events := func(f ops.Filter) (ids []string) {
			for _, r := range s.list(t, f) {
				ids = append(ids, r.EventID)
			}
			return ids
		}
		require.Len(t, events(ops.Filter{}), 1204)
		require.Equal(t, []string{"team1200", "team1199"}, events(ops.Filter{Limit: 2}), "the newest first")
		require.Equal(t, []string{"e2", "e1"}, events(ops.Filter{State: deletion.StateDone}))
		require.Equal(t, []string{"e4"}, events(ops.Filter{State: deletion.StateWaiting}))
		require.Equal(t, []string{"e1"}, events(ops.Filter{State: deletion.StateDone, ExternalID: "u1"}))
		require.Equal(t, []string{"team1", "e1"}, events(ops.Filter{ExternalID: "u1"}))
		require.Equal(t, []string{"e2"}, events(ops.Filter{UserID: "internal"}))
		require.Equal(t, []string{"e2"}, events(ops.Filter{CustomerID: "c2"}))
		require.Equal(t, []string{"e4"}, events(ops.Filter{Provider: "auth0"}))
		require.Equal(t, []string{"e3"}, events(ops.Filter{Reason: deletion.HoldUnusableID}))
		require.Empty(t, events(ops.Filter{Since: time.Now().Add(time.Hour)}))
		require.Len(t, events(ops.Filter{Since: time.Now().Add(-time.Hour)}), 1204)
		require.Empty(t, events(ops.Filter{Until: time.Now().Add(-time.Hour)}))
		require.Equal(t, []string{"e2", "e1"}, events(ops.Filter{Outcome: deletion.OutcomeDeleted, Until: time.Now().Add(time.Hour)}))
		require.Equal(t, []string{"e3"}, events(ops.Filter{EventID: "e3"}))
		for _, id := range []string{"u2", "internal", "e2", "c2"} {
			require.Contains(t, events(ops.Filter{AnyID: id}), "e2", id)
		}
		require.Equal(t, []string{"e2"}, events(ops.Filter{AnyID: "c2", ExternalID: "u2"}))
		require.Empty(t, events(ops.Filter{AnyID: "c2", State: deletion.StateHeld}))
		require.Empty(t, events(ops.Filter{ExternalID: `' OR '1'='1`}))
		require.Equal(t, []string{"team7"}, events(ops.Filter{State: deletion.StateHeld, Reason: deletion.HoldTeam, ExternalID: "u7", UserID: "u7", Provider: "clerk"}))
	})
}

func TestListsGoOnWhereTheyEnded(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		fill(t, db, 1200, deletion.HoldTeam)
		for _, f := range []ops.Filter{{}, {State: deletion.StateHeld}, {Oldest: true}, {Oldest: true, Reason: deletion.HoldTeam}} {
			whole := s.list(t, f)
			require.Len(t, whole, 1200)
			var paged []queue.Record
			for f.Limit = 700; ; f.After = paged[len(paged)-1].ID {
				page := s.list(t, f)
				if len(page) == 0 {
					break
				}
				paged = append(paged, page...)
			}
			require.Equal(t, whole, paged)
		}
		s.accept(t, newDeletion("e1", "u1"))
		person := s.list(t, ops.Filter{ExternalID: "u1", Oldest: true})
		require.Equal(t, []string{"team1", "e1"}, []string{person[0].EventID, person[1].EventID})
		require.Len(t, s.list(t, ops.Filter{ExternalID: "u1", Oldest: true, After: person[0].ID}), 1)
	})
}

func TestEverythingIsKnownOfADeletion(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		d := newDeletion("e1", "u1")
		d.Instance = "tenant"
		s.accept(t, d)
		at := time.Date(2026, 11, 2, 3, 4, 5, 6000, time.UTC)
		s.finish(t, "e1", at)
		s.set(t, "e1", `customer_id = 'c2', customer_type = 'individual', customer_created_at = $2, verified_at = $2, verify_at = $2, verification = 'gone',
			anonymized = TRUE, polar_status = 204, active_subscriptions = 2, granted_benefits = 0, result = 'deleted'`, queue.Micros(at))
		r := s.only(t, "e1")
		require.Equal(t, "tenant", r.Instance)
		require.Equal(t, at, r.FinishedAt)
		require.Equal(t, deletion.Customer{ID: "c2", Type: "individual", CreatedAt: at}, r.Customer())
		require.Equal(t, deletion.VerificationGone, r.Verification)
		require.Equal(t, at, r.VerifiedAt)
		require.Equal(t, 2, *r.ActiveSubscriptions)
		require.Equal(t, 0, *r.GrantedBenefits)
		require.True(t, r.Anonymized)
		require.False(t, r.AnswerLost, "it ended")
		require.False(t, r.Running)
		require.Equal(t, "deleted", r.Result)
		require.Equal(t, 204, *r.PolarStatus)
	})
}

func TestFinishedDeletionsComeInOrderAndSinceThen(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := operator(t, db)
		s.accept(t, newDeletion("e1", "u1"), unusable("e2"), newDeletion("e3", "u3"), newDeletion("e4", "u4"))
		noon := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
		s.finish(t, "e3", noon)
		s.finish(t, "e1", noon.Add(time.Hour))
		of := func(externalID string, since, until time.Time) (ids []string) {
			for r, err := range s.Finished(t.Context(), since, until, externalID) {
				require.NoError(t, err)
				line := r.EventID + " " + string(r.Outcome)
				for _, a := range r.Actions {
					line += " " + a.Action + ": " + a.Reason
				}
				ids = append(ids, line)
			}
			return ids
		}
		finished := func(since, until time.Time) []string { return of("", since, until) }
		require.Equal(t, []string{"e1 deleted", "e3 deleted"}, finished(time.Time{}, time.Time{}), "what is held or waits is not finished")
		_, err := s.Cancel(t.Context(), s.only(t, "e2").ID, "no")
		require.NoError(t, err)
		s.set(t, "e2", "finished_at = $2", queue.Micros(noon.Add(2*time.Hour)))
		require.Equal(t, []string{"e1 deleted", "e2 cancelled cancel: no"}, finished(noon.Add(time.Microsecond), time.Time{}))
		require.Equal(t, []string{"e1 deleted", "e3 deleted"}, finished(noon, noon.Add(2*time.Hour)))
		require.Empty(t, finished(noon.Add(3*time.Hour), time.Time{}))

		// Of one person only.
		require.Equal(t, []string{"e3 deleted"}, of("u3", time.Time{}, time.Time{}))
		require.Empty(t, of("u3", noon.Add(time.Microsecond), time.Time{}))
		require.Empty(t, of("u3", time.Time{}, noon))
		require.Empty(t, of("u4", time.Time{}, time.Time{}), "theirs waits")
	})
}

func TestAListThatNobodyReadsOnEnds(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		fill(t, db, 1200, deletion.HoldTeam)
		s := operator(t, db)
		for r, err := range s.List(t.Context(), ops.Filter{}) {
			require.NoError(t, err)
			require.Equal(t, "team1200", r.EventID)
			break
		}
		s.accept(t, newDeletion("e1", "u1")) // nothing is open that would keep this waiting
	})
}
