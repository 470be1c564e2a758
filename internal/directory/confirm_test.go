package directory_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/directory/directorytest"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/metrics"
	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

var _ deletion.Confirmer = (*directory.Confirmer)(nil)

type freeSlots struct{}

func (freeSlots) Take(context.Context, int) (func(context.Context, string, time.Duration) error, error) {
	return func(context.Context, string, time.Duration) error { return nil }, nil
}
func (freeSlots) Spend(context.Context) error { return nil }

type world struct {
	*deletion.Deleter

	clerk *directorytest.Clerk
	polar *polartest.Server
	at    time.Time
}

func received() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func newWorld(t *testing.T, lag time.Duration) *world {
	t.Helper()
	w := &world{clerk: directorytest.StartClerk(t), polar: polartest.Start(t, polartest.Options{}), at: received()}
	now := func() time.Time { return w.at }
	api, err := directory.NewClient(directory.ClientOptions{Base: w.clerk.URL(), Timeout: time.Second, Now: now})
	require.NoError(t, err)
	source := directory.NewClerk(directory.ClerkOptions{API: api, SecretKey: func() string { return directorytest.ClerkKey }}).Source()
	source.ReadLag = lag
	w.Deleter = deletion.New(deletion.Options{
		Polar: polar.New(polar.Options{BaseURL: w.polar.URL(), Token: func() string { return polartest.DefaultToken }}),
		Slots: freeSlots{}, Now: now, Confirmer: directory.NewConfirmer(map[string]directory.Source{"clerk": source}, now),
		Metrics: metrics.New(prometheus.NewRegistry(), metrics.Options{Providers: []string{"clerk"}}),
	})
	w.polar.AddCustomer(polartest.Customer{ExternalID: "user_1"})
	return w
}

func attempt() event.Attempt {
	return event.Attempt{Number: 1, Deletion: event.Deletion{
		Provider: "clerk", EventID: "e", UserID: "user_1", ExternalID: "user_1", OccurredAt: received(), ReceivedAt: received(),
	}}
}

func TestAForgedDeletionOfALivingUserNeverReachesPolar(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.clerk.AddUser("user_1")
	for ; w.at.Before(received().Add(10 * time.Minute)); w.at = w.at.Add(30 * time.Second) {
		_, err := w.Apply(t.Context(), attempt())
		require.Equal(t, fault.Paused, fault.KindOf(err), "no attempt is burnt")
		require.Equal(t, 30*time.Second, fault.RetryAfterOf(err))
	}
	_, err := w.Apply(t.Context(), attempt())
	require.Equal(t, fault.Held, fault.KindOf(err))
	require.Equal(t, string(event.HoldUserExists), fault.ReasonOf(err))
	require.Zero(t, w.polar.Calls())

	approved := attempt()
	approved.Approved = []event.HoldReason{event.HoldUserExists}
	_, err = w.Apply(t.Context(), approved)
	require.NoError(t, err)
	require.False(t, w.polar.Exists("user_1"))
}

func TestAUserWhoIsGoneIsDeletedAsSoonAsTheProviderKnows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.clerk.AddUser("user_1")
	_, err := w.Apply(t.Context(), attempt())
	require.Equal(t, fault.Paused, fault.KindOf(err))
	w.clerk.DeleteUser("user_1")
	result, err := w.Apply(t.Context(), attempt())
	require.NoError(t, err)
	require.Equal(t, event.OutcomeDeleted, result.Outcome)
}

func TestAnAnswerThatIsNotClearIsNoPermission(t *testing.T) {
	t.Parallel()
	for _, f := range []directorytest.Fault{
		directorytest.Status(500), directorytest.Status(401), directorytest.WrongJSON(), directorytest.CutJSON(),
		directorytest.HTMLPage(), directorytest.Redirect("https://example.com"),
		{Hang: true},
		directorytest.RateLimited(time.Minute),
		{Status: 404, ContentType: "application/json", Body: `{}`},
	} {
		w := newWorld(t, 0) // the user is gone, but nobody says so
		w.clerk.Always(f)
		w.at = received().Add(time.Hour)
		_, err := w.Apply(t.Context(), attempt())
		require.Contains(t, []fault.Kind{fault.Unavailable, fault.Paused}, fault.KindOf(err))
		require.Zero(t, w.polar.Calls())
	}
}

func TestWhoCannotBeAskedAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30*time.Second)
	_, err := w.Apply(t.Context(), attempt())
	require.Equal(t, 30*time.Second, fault.RetryAfterOf(err), "what the provider knows may lag")
	require.Empty(t, w.clerk.Calls())
	w.at = received().Add(30 * time.Second)
	nobody := attempt()
	nobody.UserID = ""
	_, err = w.Apply(t.Context(), nobody)
	require.Equal(t, fault.Held, fault.KindOf(err))
	require.Equal(t, string(event.HoldUserExists), fault.ReasonOf(err), "the customer can be named, so it can be approved")

	other := attempt()
	other.Provider = "workos"
	_, err = w.Apply(t.Context(), other)
	require.NoError(t, err)
	require.Empty(t, w.clerk.Calls())

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.Apply(cancelled, attempt())
	require.ErrorIs(t, err, context.Canceled)
}

func TestWhatOnlyAComparisonFoundWaitsWhereTheProviderCannotBeAsked(t *testing.T) {
	t.Parallel()
	unasking := directory.NewConfirmer(nil, received)
	webhook := attempt()
	require.NoError(t, unasking.Gone(t.Context(), webhook), "a webhook is believed")
	compared := attempt()
	compared.EventID = event.ComparisonEventID("cus_1")
	require.Equal(t, fault.Unavailable, fault.KindOf(unasking.Gone(t.Context(), compared)))

	w := newWorld(t, 0)
	_, err := w.Apply(t.Context(), compared)
	require.NoError(t, err, "where it can be asked, it is")
	require.False(t, w.polar.Exists("user_1"))
}

func TestADeletionOfAnotherInstanceIsHeldUntilItIsApproved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	a := attempt()
	a.Instance = "ins_another" // user_1 may live there: the one that is asked cannot know
	_, err := w.Apply(t.Context(), a)
	require.Equal(t, fault.Held, fault.KindOf(err))
	require.Equal(t, string(event.HoldOtherInstance), fault.ReasonOf(err))
	require.Zero(t, w.polar.Calls())

	a.Approved = []event.HoldReason{event.HoldUserExists}
	_, err = w.Apply(t.Context(), a)
	require.Equal(t, fault.Held, fault.KindOf(err), "another approval is none of this")
	a.Approved = []event.HoldReason{event.HoldOtherInstance}
	result, err := w.Apply(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, event.OutcomeDeleted, result.Outcome)
}

func TestADeletionOfTheInstanceThatIsAskedIsConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	a := attempt()
	a.Instance = directorytest.ClerkInstance
	result, err := w.Apply(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, event.OutcomeDeleted, result.Outcome)
}
