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

type environment struct {
	*deletion.Deleter

	clerk *directorytest.Clerk
	polar *polartest.Server
	at    time.Time
}

func received() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func newEnvironment(t *testing.T, readLag time.Duration) *environment {
	t.Helper()
	e := &environment{clerk: directorytest.StartClerk(t), polar: polartest.Start(t, polartest.Options{}), at: received()}
	now := func() time.Time { return e.at }
	api, err := directory.NewClient(directory.ClientOptions{Base: e.clerk.URL(), Timeout: time.Second, Now: now})
	require.NoError(t, err)
	source := directory.NewClerk(directory.ClerkOptions{API: api, SecretKey: func() string { return directorytest.ClerkKey }}).Source()
	source.ReadLag = readLag
	e.Deleter = deletion.New(deletion.Options{
		Polar: polar.New(polar.Options{BaseURL: e.polar.URL(), Token: func() string { return polartest.DefaultToken }}),
		Slots: freeSlots{}, Now: now, Confirmer: directory.NewConfirmer(map[string]directory.Source{"clerk": source}, now),
		Metrics: metrics.New(prometheus.NewRegistry(), metrics.Options{Providers: []string{"clerk"}}),
	})
	e.polar.AddCustomer(polartest.Customer{ExternalID: "user_1"})
	return e
}

func attempt() event.Attempt {
	return event.Attempt{Number: 1, Deletion: event.Deletion{
		Provider: "clerk", EventID: "e", UserID: "user_1", ExternalID: "user_1", OccurredAt: received(), ReceivedAt: received(),
	}}
}

func TestAForgedDeletionOfAnExistingUserNeverReachesPolar(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 0)
	e.clerk.AddUser("user_1")
	for ; e.at.Before(received().Add(10 * time.Minute)); e.at = e.at.Add(30 * time.Second) {
		_, err := e.Apply(t.Context(), attempt())
		require.Equal(t, fault.Paused, fault.KindOf(err), "no attempt is burnt")
		require.Equal(t, 30*time.Second, fault.RetryAfterOf(err))
	}
	_, err := e.Apply(t.Context(), attempt())
	require.Equal(t, fault.Held, fault.KindOf(err))
	require.Equal(t, string(event.HoldUserExists), fault.ReasonOf(err))
	require.Zero(t, e.polar.Calls())

	approved := attempt()
	approved.Approved = []event.HoldReason{event.HoldUserExists}
	_, err = e.Apply(t.Context(), approved)
	require.NoError(t, err)
	require.False(t, e.polar.Exists("user_1"))
}

func TestAUserWhoIsGoneIsDeletedAsSoonAsTheProviderKnows(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 0)
	e.clerk.AddUser("user_1")
	_, err := e.Apply(t.Context(), attempt())
	require.Equal(t, fault.Paused, fault.KindOf(err))
	e.clerk.DeleteUser("user_1")
	result, err := e.Apply(t.Context(), attempt())
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
		e := newEnvironment(t, 0) // the user is gone, but nobody says so
		e.clerk.Always(f)
		e.at = received().Add(time.Hour)
		_, err := e.Apply(t.Context(), attempt())
		require.Contains(t, []fault.Kind{fault.Unavailable, fault.Paused}, fault.KindOf(err))
		require.Zero(t, e.polar.Calls())
	}
}

func TestWhoCannotBeAskedAbout(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 30*time.Second)
	_, err := e.Apply(t.Context(), attempt())
	require.Equal(t, 30*time.Second, fault.RetryAfterOf(err), "what the provider knows may lag")
	require.Empty(t, e.clerk.Calls())
	e.at = received().Add(30 * time.Second)
	nobody := attempt()
	nobody.UserID = ""
	_, err = e.Apply(t.Context(), nobody)
	require.Equal(t, fault.Held, fault.KindOf(err))
	require.Equal(t, string(event.HoldUserExists), fault.ReasonOf(err), "the customer can be named, so it can be approved")

	other := attempt()
	other.Provider = "workos"
	_, err = e.Apply(t.Context(), other)
	require.NoError(t, err)
	require.Empty(t, e.clerk.Calls())

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = e.Apply(cancelled, attempt())
	require.ErrorIs(t, err, context.Canceled)
}

func TestWhatOnlyAReconciliationFoundWaitsWhereTheProviderCannotBeAsked(t *testing.T) {
	t.Parallel()
	unasking := directory.NewConfirmer(nil, received)
	webhook := attempt()
	require.NoError(t, unasking.Gone(t.Context(), webhook), "a webhook is believed")
	compared := attempt()
	compared.EventID = event.ComparisonEventID("cus_1")
	require.Equal(t, fault.Unavailable, fault.KindOf(unasking.Gone(t.Context(), compared)))

	e := newEnvironment(t, 0)
	_, err := e.Apply(t.Context(), compared)
	require.NoError(t, err, "where it can be asked, it is")
	require.False(t, e.polar.Exists("user_1"))
}

func TestADeletionOfAnotherInstanceIsHeldUntilItIsApproved(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 0)
	a := attempt()
	a.Instance = "ins_another" // user_1 may live there: the one that is asked cannot know
	_, err := e.Apply(t.Context(), a)
	require.Equal(t, fault.Held, fault.KindOf(err))
	require.Equal(t, string(event.HoldOtherInstance), fault.ReasonOf(err))
	require.Zero(t, e.polar.Calls())

	a.Approved = []event.HoldReason{event.HoldUserExists}
	_, err = e.Apply(t.Context(), a)
	require.Equal(t, fault.Held, fault.KindOf(err), "another approval is none of this")
	a.Approved = []event.HoldReason{event.HoldOtherInstance}
	result, err := e.Apply(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, event.OutcomeDeleted, result.Outcome)
}

func TestADeletionOfTheInstanceThatIsAskedIsConfirmed(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 0)
	a := attempt()
	a.Instance = directorytest.ClerkInstance
	result, err := e.Apply(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, event.OutcomeDeleted, result.Outcome)
}
