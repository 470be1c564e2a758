package reconcile_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory/directorytest"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

var (
	_ reconcile.Polar   = (*polar.Client)(nil)
	_ reconcile.Limiter = (*ratelimit.Limiter)(nil)
)

func TestExactlyTheOrphansAreFound(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := newHarness(t, db)
		orphans := h.populate(1000, 25)
		h.polar.AddCustomer(polartest.Customer{ExternalID: "", CreatedAt: start().Add(-time.Hour)})
		h.polar.AddCustomer(polartest.Customer{ExternalID: "shop-42", CreatedAt: start().Add(-time.Hour)})
		h.polar.AddCustomer(polartest.Customer{ExternalID: "user_young", CreatedAt: start().Add(-time.Hour + time.Second)})
		var found []reconcile.Orphan
		counts, err := h.sweeper(t).Sweep(t.Context(), limits(), collect(&found))
		require.NoError(t, err)
		require.Equal(t, reconcile.Counts{
			Read: 1003, WithoutID: 1, Foreign: 1, Young: 1, Asked: 1000, Candidates: 40, Orphans: 40,
		}, counts)
		require.Equal(t, orphans, externalIDs(found), "the oldest first")
		require.Equal(t, 12%3, *found[0].ActiveSubscriptions)
		require.Equal(t, "individual", found[0].Type)
		require.Equal(t, start().Add(-30*24*time.Hour+12*time.Second), found[0].CreatedAt)

		last, err := h.sweeper(t).Last(t.Context())
		require.NoError(t, err)
		require.Equal(t, 40, last.Orphans)
		require.True(t, h.clock.now().Equal(last.FinishedAt))
		require.Equal(t, h.polar.Calls(), h.limiter.acquired, "each request has its permit")
		require.Zero(t, h.polar.Deleted(orphans[0]))
	})
}

func TestTheWayIsGoneToItsEndThrough429s(t *testing.T) {
	t.Parallel()
	h := sqlite(t)
	orphans := h.populate(1000, 50)
	h.polar.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
		switch e.Seq % 5 {
		case 2:
			return polartest.RateLimited(60 * time.Second)
		case 3:
			return polartest.Gateway(502)
		}
		return polartest.Fault{}
	})
	calls := 0
	h.clerk.SetFault(func(*http.Request) directorytest.Fault {
		if calls++; calls%3 == 0 {
			return directorytest.RateLimited(7 * time.Second)
		}
		return directorytest.Fault{}
	})
	var found []reconcile.Orphan
	_, err := h.sweeper(t).Sweep(t.Context(), limits(), collect(&found))
	require.NoError(t, err)
	require.Equal(t, orphans, externalIDs(found))
	require.Contains(t, h.clock.waits, 60*time.Second)
	require.Contains(t, h.clock.waits, 7*time.Second)
	require.Positive(t, h.limiter.pauses[string(deletion.WaitRateLimited)])
}

func TestASweepIsResumedAfterACrash(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := newHarness(t, db)
		orphans := h.populate(1000, 50)
		// The program dies in the middle of reading, of checking, and of applying.
		for _, dying := range []func(reconcile.Progress) bool{
			func(p reconcile.Progress) bool { return p.Done > 500 },
			func(p reconcile.Progress) bool { return p.Checking && p.Done > 10 },
		} {
			ctx, cancel := context.WithCancel(t.Context())
			_, err := h.sweeper(t, func(o *reconcile.Options) {
				o.OnProgress = func(p reconcile.Progress) {
					if dying(p) {
						cancel()
					}
				}
			}).Sweep(ctx, limits(), apply(&keeper{}))
			require.ErrorIs(t, err, context.Canceled)
		}
		queue := &keeper{fail: errors.New("database is away")}
		_, err := h.sweeper(t).Sweep(t.Context(), limits(), apply(queue))
		require.ErrorIs(t, err, queue.fail)
		before := h.polar.Calls()

		queue.fail = nil
		counts, err := h.sweeper(t).Sweep(t.Context(), limits(), apply(queue))
		require.NoError(t, err)
		require.Equal(t, len(orphans), counts.Orphans)
		require.Len(t, queue.kept, len(orphans))
		require.Equal(t, before, h.polar.Calls(), "everything was known already")

		_, err = h.sweeper(t).Sweep(t.Context(), limits(), apply(queue))
		require.NoError(t, err)
		require.Greater(t, h.polar.Calls(), before+10, "a sweep that has ended is not resumed")
	})
}

func TestCustomersThatAreDeletedMeanwhileHideNobody(t *testing.T) {
	t.Parallel()
	for _, created := range []int{0, 7, 150} {
		h := sqlite(t)
		h.populate(1000, 0)
		for i := range 1000 {
			if i%50 == 49 {
				h.clerk.DeleteUser(userID(i))
			}
		}
		// While the list is read, the beginning of it goes away, and as many or
		// as few come at its end.
		next, added := 0, 1000
		h.polar.SetFaultFunc(nil)
		sweeper := h.sweeper(t, func(o *reconcile.Options) {
			o.OnProgress = func(p reconcile.Progress) {
				if p.Checking {
					return
				}
				for range 7 {
					if next%50 != 49 {
						deleteAtPolar(t, h, userID(next))
					}
					next++
				}
				for range min(created, 1500-added) {
					h.polar.AddCustomer(polartest.Customer{ExternalID: userID(added), CreatedAt: h.clock.now().Add(-2 * time.Hour)})
					h.clerk.AddUser(userID(added))
					added++
				}
			}
		})
		var found []reconcile.Orphan
		counts, err := sweeper.Sweep(t.Context(), limits(), collect(&found))
		require.NoError(t, err)
		require.Len(t, found, 20)
		require.Equal(t, 20, counts.Orphans)
		require.Equal(t, added, counts.Read)
	}
}

func TestCustomersMadeAtOnceAreAllRead(t *testing.T) {
	t.Parallel()
	h := sqlite(t)
	for i := range 437 {
		h.polar.AddCustomer(polartest.Customer{ExternalID: userID(i), CreatedAt: start().Add(-24 * time.Hour)})
		if i != 300 {
			h.clerk.AddUser(userID(i))
		}
	}
	var found []reconcile.Orphan
	counts, err := h.sweeper(t).Sweep(t.Context(), limits(), collect(&found))
	require.NoError(t, err)
	require.Equal(t, 437, counts.Read)
	require.Equal(t, []string{userID(300)}, externalIDs(found))
}

// dangers are providers that must not lead to any deletion, whatever is wrong.
func dangers() map[string]directorytest.Fault {
	return map[string]directorytest.Fault{
		"500":                       directorytest.Status(500),
		"401":                       directorytest.Status(401),
		"no body":                   {Status: 200, ContentType: "application/json"},
		"wrong JSON":                directorytest.WrongJSON(),
		"JSON that ends early":      directorytest.CutJSON(),
		"a login page":              directorytest.HTMLPage(),
		"a redirect":                directorytest.Redirect("https://example.com"),
		"another instance's users":  directorytest.ForeignList("user_other1", "user_other2"),
		"404 of an unknown route":   {Status: 404, ContentType: "application/json", Body: `{}`},
		"404 as if a user was gone": {Status: 404, ContentType: "application/json", Body: `{"errors":[{"code":"resource_not_found"}]}`},
	}
}

func TestAProviderThatIsNotRightLeadsToNoDeletion(t *testing.T) {
	t.Parallel()
	for name, danger := range dangers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := sqlite(t)
			h.populate(300, 100)
			for _, path := range []string{"/v1/users", "/v1/users/"} {
				h.clerk.SetFault(func(r *http.Request) directorytest.Fault {
					if strings.HasPrefix(r.URL.Path, path) && (path != "/v1/users/" || danger.Status != 404 || !strings.Contains(danger.Body, "resource")) {
						return danger
					}
					return directorytest.Fault{}
				})
				queue := &keeper{}
				_, err := h.sweeper(t).Sweep(t.Context(), limits(), apply(queue))
				if danger.List != nil && path == "/v1/users/" || strings.Contains(danger.Body, "resource") && path == "/v1/users/" {
					continue // no list, and a true answer
				}
				require.Error(t, err, path)
				require.Empty(t, queue.kept)
				last, err := h.sweeper(t).Last(t.Context())
				require.NoError(t, err)
				require.Zero(t, last.FinishedAt, "it does not count as a sweep")
				require.NotEmpty(t, last.Incomplete)
			}
		})
	}
}

func TestAListThatIsCutOrEmptyMakesNobodyAnOrphan(t *testing.T) {
	t.Parallel()
	for name, danger := range map[string]directorytest.Fault{"cut": directorytest.CutList(), "empty": directorytest.EmptyList()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := sqlite(t)
			orphans := h.populate(300, 100)
			h.clerk.Always(danger)
			_, err := h.sweeper(t).Sweep(t.Context(), limits(), apply(&keeper{fail: errors.New("unreachable")}))
			require.ErrorIs(t, err, reconcile.ErrRefused)

			if name == "empty" {
				return // then nobody would be left, and no share allows that
			}
			// Even when all is allowed: each is asked about alone.
			var found []reconcile.Orphan
			counts, err := h.sweeper(t).Sweep(t.Context(), reconcile.Limits{Share: 1}, collect(&found))
			require.NoError(t, err)
			require.Equal(t, orphans, externalIDs(found))
			require.Greater(t, counts.Candidates, counts.Orphans)
		})
	}
}

func TestTooManyOrphansAreRefused(t *testing.T) {
	t.Parallel()
	h := sqlite(t)
	h.populate(100, 10)
	for want, l := range map[string]reconcile.Limits{
		"10 of 100 users are not at the provider, which is more than --max-share allows (5%)": {Share: 0.05},
		"more than 9 users are not at the provider, which is more than --max allows":          {Share: 1, Max: 9},
	} {
		_, err := h.sweeper(t).Sweep(t.Context(), l, apply(&keeper{fail: errors.New("unreachable")}))
		require.ErrorIs(t, err, reconcile.ErrRefused)
		require.ErrorContains(t, err, want)
	}
	counts, err := h.sweeper(t).Sweep(t.Context(), reconcile.Limits{Share: 0.1, Max: 10}, apply(&keeper{}))
	require.NoError(t, err, "what was refused is not resumed")
	require.Equal(t, 10, counts.Orphans)
}

func TestNobodyLeftIsRefusedWhateverIsAllowed(t *testing.T) {
	t.Parallel()
	h := sqlite(t)
	h.populate(20, 1)
	_, err := h.sweeper(t).Sweep(t.Context(), reconcile.Limits{Share: 1}, apply(&keeper{}))
	require.ErrorIs(t, err, reconcile.ErrRefused)
	require.ErrorContains(t, err, "knows none of the 20 users")
}

func TestAWrongKeyIsNoticedBeforeEverybodyIsRead(t *testing.T) {
	t.Parallel()
	h := sqlite(t)
	h.populate(2000, 1)
	_, err := h.sweeper(t).Sweep(t.Context(), limits(), apply(&keeper{}))
	require.ErrorIs(t, err, reconcile.ErrRefused)
	require.LessOrEqual(t, h.polar.Calls(), 2)

	for i := range 2000 { // the right key
		h.clerk.AddUser(userID(i))
	}
	counts, err := h.sweeper(t).Sweep(t.Context(), limits(), apply(&keeper{}))
	require.NoError(t, err)
	require.Zero(t, counts.Candidates, "what the wrong key said is forgotten")
}

func TestAPolarThatIsNotRightEndsTheSweep(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault polartest.Fault
		pause deletion.WaitReason
	}{
		"outage":       {polartest.Gateway(503), deletion.WaitOutage},
		"unauthorized": {polartest.Status(401, "application/json", `{}`), deletion.WaitUnauthorized},
		"no page":      {polartest.HTMLPage(), ""},
		"no route":     {polartest.RouteMissing(), ""},
		"forbidden":    {polartest.Cloudflare(1020), ""},
		"rejected":     {polartest.Status(422, "application/json", `{"error":"RequestValidationError","detail":[]}`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := sqlite(t)
			h.populate(10, 5)
			h.polar.SetFault(tt.fault)
			_, err := h.sweeper(t).Sweep(t.Context(), limits(), apply(&keeper{}))
			require.Error(t, err)
			require.Equal(t, h.polar.Calls(), h.limiter.pauses[string(tt.pause)])
		})
	}
}

func TestOnlyOneSweepsAtATime(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := newHarness(t, db)
		h.populate(10, 0)
		other := h.sweeper(t)
		_, err := h.sweeper(t).Sweep(t.Context(), limits(), func(ctx context.Context, _ *reconcile.Found) error {
			_, err := other.Sweep(ctx, limits(), apply(&keeper{}))
			require.ErrorIs(t, err, reconcile.ErrBusy)
			h.clock.wait(ctx, 16*time.Second) //nolint:errcheck // it holds on for longer than its lease
			_, err = other.Sweep(ctx, limits(), apply(&keeper{}))
			require.NoError(t, err)
			return nil
		})
		require.ErrorContains(t, err, "another process has taken the sweep over")
	})
}

func TestAPeriodicSweepRunsOncePerInterval(t *testing.T) {
	t.Parallel()
	h := sqlite(t)
	h.populate(100, 50)
	run := func() bool {
		swept, _, err := h.sweeper(t).SweepWhenDue(t.Context(), time.Hour, limits())
		require.NoError(t, err)
		return swept
	}
	require.True(t, run())
	require.False(t, run(), "another replica")
	h.clock.wait(t.Context(), 59*time.Minute) //nolint:errcheck // moves the clock
	require.False(t, run())
	h.clock.wait(t.Context(), 2*time.Minute) //nolint:errcheck // moves the clock
	require.True(t, run())

	h.clock.wait(t.Context(), 2*time.Hour) //nolint:errcheck // moves the clock
	h.clerk.Always(directorytest.Status(500))
	swept, _, err := h.sweeper(t).SweepWhenDue(t.Context(), time.Hour, limits())
	require.Error(t, err)
	require.True(t, swept)
	swept, _, err = h.sweeper(t).SweepWhenDue(t.Context(), time.Hour, limits())
	require.NoError(t, err)
	require.False(t, swept, "a failure is not repeated at once")
}

func TestOtherIDsAreLeftAlone(t *testing.T) {
	t.Parallel()
	h := sqlite(t)
	h.populate(100, 50)
	counts, err := h.sweeper(t, func(o *reconcile.Options) { o.Pattern = regexp.MustCompile(`^user_0000`) }).Sweep(t.Context(), limits(), apply(&keeper{}))
	require.NoError(t, err)
	require.Equal(t, reconcile.Counts{Read: 100, Foreign: 90, Asked: 10}, counts)
}
