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
	"github.com/polar-bridge/polar-bridge/metrics"
	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

var _ deletion.Confirmer = (*directory.Confirmer)(nil)

// freeLimiter gives a permit whenever it is asked.
type freeLimiter struct{}

func (freeLimiter) Acquire(context.Context, int) (deletion.Permit, deletion.Decision) {
	return permit{}, nil
}
func (freeLimiter) Charge(context.Context) error { return nil }

type permit struct{}

func (permit) Report(context.Context, deletion.Decision) error { return nil }

// journal lets everything be sent.
type journal struct{}

func (journal) BeginSend(context.Context, deletion.Sending) deletion.Decision { return nil }

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
	api := directory.NewClient(directory.ClientOptions{Base: e.clerk.URL(), Timeout: time.Second, Now: now})
	source := (&directory.Clerk{API: api, SecretKey: func() string { return directorytest.ClerkKey }}).Source()
	source.ReadLag = readLag
	e.Deleter = deletion.New(deletion.Options{
		Polar:   polar.New(polar.Options{BaseURL: e.polar.URL(), Token: func() string { return polartest.DefaultToken }}),
		Limiter: freeLimiter{}, Now: now, Confirmer: directory.NewConfirmer(map[string]directory.Source{"clerk": source}, false, now),
		Metrics: metrics.New(prometheus.NewRegistry(), metrics.Options{Providers: []string{"clerk"}}),
	})
	e.polar.AddCustomer(polartest.Customer{ExternalID: "user_1"})
	return e
}

func attempt() deletion.Attempt {
	return deletion.Attempt{Deletion: deletion.Deletion{
		Provider: "clerk", EventID: "e", UserID: "user_1", ExternalID: "user_1", OccurredAt: received(), ReceivedAt: received(),
	}}
}

// apply makes one attempt.
func (e *environment) apply(t *testing.T, a deletion.Attempt) deletion.Decision {
	t.Helper()
	_, decision := e.Apply(t.Context(), a, journal{})
	return decision
}

func (e *environment) requireDeleted(t *testing.T, a deletion.Attempt) {
	t.Helper()
	require.Equal(t, deletion.Done{Outcome: deletion.OutcomeDeleted, ConfirmedBy: deletion.ConfirmedByAnswer}, e.apply(t, a))
	require.False(t, e.polar.Exists(a.ExternalID))
}

// requireHeld requires that the deletion is held for the reason, and Polar not
// asked.
func (e *environment) requireHeld(t *testing.T, a deletion.Attempt, reason deletion.HoldReason) {
	t.Helper()
	before := e.polar.Calls()
	hold := as[deletion.Hold](t, e.apply(t, a))
	require.Equal(t, reason, hold.Reason)
	require.Error(t, hold.Err)
	require.Equal(t, before, e.polar.Calls())
}

// requireWait requires that the deletion is to be tried again after d, at no cost.
func (e *environment) requireWait(t *testing.T, a deletion.Attempt, reason deletion.WaitReason, d time.Duration) {
	t.Helper()
	wait := as[deletion.Wait](t, e.apply(t, a))
	wait.Err = nil
	require.Equal(t, deletion.Wait{Reason: reason, For: d}, wait, "nobody else is paused")
}

// as is the decision as one of that type, which it must be.
func as[D deletion.Decision](t *testing.T, decision deletion.Decision) D {
	t.Helper()
	want, ok := decision.(D)
	require.True(t, ok, "%#v", decision)
	return want
}

func approved(a deletion.Attempt, reasons ...deletion.HoldReason) deletion.Attempt {
	for _, reason := range reasons {
		a.Approved = append(a.Approved, deletion.Approval{Reason: reason})
	}
	return a
}

func TestAForgedDeletionOfAnExistingUserNeverReachesPolar(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 0)
	e.clerk.AddUser("user_1")
	for ; e.at.Before(received().Add(10 * time.Minute)); e.at = e.at.Add(30 * time.Second) {
		e.requireWait(t, attempt(), deletion.WaitUserPresent, 30*time.Second)
	}
	e.requireHeld(t, attempt(), deletion.HoldUserExists)
	require.Zero(t, e.polar.Calls())
	e.requireDeleted(t, approved(attempt(), deletion.HoldUserExists))
}

func TestWhoWasApprovedBeforeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 0)
	e.clerk.AddUser("user_1")
	require.IsType(t, deletion.Wait{}, e.apply(t, approved(attempt(), deletion.HoldTeam)))
	e.requireDeleted(t, approved(attempt(), deletion.HoldUserExists)) // as a request by hand may be from the start
}

func TestAUserWhoIsGoneIsDeletedAsSoonAsTheProviderKnows(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 0)
	e.clerk.AddUser("user_1")
	e.requireWait(t, attempt(), deletion.WaitUserPresent, 30*time.Second)
	e.clerk.DeleteUser("user_1")
	e.requireDeleted(t, attempt())
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
		switch decision := e.apply(t, attempt()).(type) {
		case deletion.Retry:
			require.Contains(t, []deletion.RetryReason{
				deletion.RetryDirectoryUnavailable, deletion.RetryDirectoryUnauthorized, deletion.RetryDirectoryInconclusive,
			}, decision.Reason)
			require.False(t, decision.Outage, "that is not Polar's")
		case deletion.Wait:
			require.Equal(t, deletion.WaitDirectory, decision.Reason)
			require.Equal(t, time.Minute, decision.For, "what the provider asks for")
			require.False(t, decision.Everybody)
		default:
			require.Fail(t, "neither a wait nor a retry", "%#v", decision)
		}
		require.Zero(t, e.polar.Calls())
	}
}

func TestWhoCannotBeAskedAbout(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 30*time.Second)
	e.requireWait(t, attempt(), deletion.WaitDirectoryLag, 30*time.Second) // what the provider knows may lag
	require.Empty(t, e.clerk.Calls())
	e.at = received().Add(30 * time.Second)
	nobody := attempt()
	nobody.UserID = ""
	e.requireHeld(t, nobody, deletion.HoldUserExists) // the customer can be named, so it can be approved

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, decision := e.Apply(cancelled, attempt(), journal{})
	require.Equal(t, deletion.WaitStopping, as[deletion.Wait](t, decision).Reason, "no attempt is used up")
	require.Zero(t, e.polar.Calls())

	other := attempt()
	other.Provider = "workos"
	e.requireDeleted(t, other)
	require.Empty(t, e.clerk.Calls())
}

func TestWhatOnlyAReconciliationFoundWaitsWhereTheProviderCannotBeAsked(t *testing.T) {
	t.Parallel()
	unasking := directory.NewConfirmer(nil, false, received)
	webhook := attempt()
	require.Nil(t, unasking.Confirm(t.Context(), webhook), "a webhook is believed")
	reconciled := attempt()
	reconciled.EventID = deletion.ReconcileEventID("cus_1")
	retry := as[deletion.Retry](t, unasking.Confirm(t.Context(), reconciled))
	require.Equal(t, deletion.RetryUnconfirmed, retry.Reason)

	newEnvironment(t, 0).requireDeleted(t, reconciled) // where it can be asked, it is
}

func TestADeletionOfAnotherInstanceIsHeldUntilItIsApproved(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 0)
	a := attempt()
	a.Instance = "ins_another" // user_1 may live there: the one that is asked cannot know
	e.requireHeld(t, a, deletion.HoldOtherInstance)
	require.Zero(t, e.polar.Calls())

	e.requireHeld(t, approved(a, deletion.HoldUserExists), deletion.HoldOtherInstance) // another approval is none of this
	e.requireDeleted(t, approved(a, deletion.HoldOtherInstance))
}

func TestADeletionOfTheInstanceThatIsAskedIsConfirmed(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 0)
	a := attempt()
	a.Instance = directorytest.ClerkInstance
	e.requireDeleted(t, a)
}
