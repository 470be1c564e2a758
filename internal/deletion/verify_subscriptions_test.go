package deletion_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// lastTry is that of a verification whose subscriptions are believed to be active.
const lastTry = 6

// deletedCustomer is the verification of a customer with a subscription who was deleted.
func (h *harness) deletedCustomer(t *testing.T, keeps bool) deletion.Attempt {
	t.Helper()
	a := attempt("user_paying")
	a.Seen.ID = h.polar.AddCustomer(polartest.Customer{
		ExternalID: a.ExternalID, CreatedAt: occurred().Add(-time.Hour), ActiveSubscriptions: 1, KeepSubscriptions: keeps,
	}).ID
	h.requireDeleted(t, a)
	h.limiter.acquired, h.limiter.reports = nil, nil
	return a
}

// questions is how often Polar was asked for subscriptions.
func (h *harness) questions() int { return h.polar.CallsOf(polartest.OperationSubscriptions) }

func TestAVerificationSaysWhetherSubscriptionsEnded(t *testing.T) {
	t.Parallel()
	for keeps, want := range map[bool]struct {
		verification deletion.Verification
		ended        deletion.SubscriptionsEnded
	}{
		false: {deletion.VerificationGone, deletion.SubscriptionsEndedYes},
		true:  {deletion.VerificationSubscriptionActive, deletion.SubscriptionsEndedNo},
	} {
		h := newHarness(t)
		a := h.deletedCustomer(t, keeps)
		verification, seen, decision := h.Verify(t.Context(), a, lastTry)
		require.Nil(t, decision)
		require.Equal(t, want.verification, verification)
		require.Equal(t, want.ended, seen.SubscriptionsEnded)
		require.Equal(t, 404, seen.PolarStatus, "that of the lookup")
		require.Equal(t, []int{2}, h.limiter.acquired, "both permits are taken together")
		require.Equal(t, []deletion.Decision{nil}, h.limiter.reports)
		require.Zero(t, seen.Customer)
	}
}

func TestASubscriptionThatIsActiveIsAskedForAgain(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	a := h.deletedCustomer(t, true)
	for tries := 1; tries < lastTry; tries++ {
		_, _, decision := h.Verify(t.Context(), a, tries)
		require.Equal(t, deletion.Retry{Reason: deletion.RetryReplica}, withoutError(decision))
	}
	h.polar.EndSubscriptions()
	verification, seen, decision := h.Verify(t.Context(), a, lastTry)
	require.Nil(t, decision)
	require.Equal(t, deletion.VerificationGone, verification)
	require.Equal(t, deletion.SubscriptionsEndedYes, seen.SubscriptionsEnded)
}

func TestATokenWithoutTheScopeIsRefusedOnce(t *testing.T) {
	t.Parallel()
	now, mutex := time.Now(), sync.Mutex{}
	h := newHarness(t, func(o *deletion.Options) {
		o.Now = func() time.Time { mutex.Lock(); defer mutex.Unlock(); return now }
	})
	a := h.deletedCustomer(t, true)
	h.polar.AllowToken(polartest.DefaultToken, polartest.TokenWriteOnly)
	require.Zero(t, h.questions(), "only a verification asks")

	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			verification, seen, decision := h.Verify(t.Context(), a, 1)
			if decision != nil || verification != deletion.VerificationGone || seen.SubscriptionsEnded != "" {
				t.Errorf("%v, %+v, %v", verification, seen, decision)
			}
		})
	}
	workers.Wait()
	require.Equal(t, 1, h.questions())
	h.requireNobodyPaused(t)
	require.Len(t, h.logs.FilterMessageSnippet("lacks the scope subscriptions:read").All(), 1)

	h.limiter.acquired = nil
	_, _, decision := h.Verify(t.Context(), a, lastTry)
	require.Nil(t, decision)
	require.Equal(t, []int{1}, h.limiter.acquired, "no permit is taken for what is not asked")

	mutex.Lock()
	now = now.Add(24 * time.Hour)
	mutex.Unlock()
	h.polar.AllowToken(polartest.DefaultToken, polartest.TokenFull)
	verification, _, decision := h.Verify(t.Context(), a, lastTry)
	require.Nil(t, decision)
	require.Equal(t, deletion.VerificationSubscriptionActive, verification, "the token may have got another scope")
}

func TestNobodyIsAskedForWhomNobodyHasSeen(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	a := h.deletedCustomer(t, true)
	a.Seen = deletion.Customer{}
	verification, seen, decision := h.Verify(t.Context(), a, lastTry)
	require.Nil(t, decision)
	require.Equal(t, deletion.VerificationGone, verification)
	require.Empty(t, seen.SubscriptionsEnded)
	require.Zero(t, h.questions())
}

func TestNoAnswerAboutSubscriptionsKeepsAVerificationFromItsEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault polartest.Fault
		first deletion.Decision // what the first try decides
	}{
		{"401", polartest.Status(401, "", ""), nil},
		{"403 of a proxy", polartest.Cloudflare(1020), nil},
		{"422", polartest.Status(422, "application/json", `{}`), nil},
		{"no such route", polartest.RouteMissing(), nil},
		{"a web page", polartest.HTMLPage(), nil},
		{"503", polartest.Gateway(503), deletion.Retry{Reason: deletion.RetryServerError}},
		{"a reset", polartest.ResetBeforeCommit(), deletion.Retry{Reason: deletion.RetryNetworkError}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			a := h.deletedCustomer(t, true)
			before := h.deletes()
			h.polar.FailNextOf(polartest.OperationSubscriptions, 10, tt.fault) // net/http repeats a reset one by itself
			_, _, decision := h.Verify(t.Context(), a, 1)
			require.Equal(t, tt.first, withoutError(decision))
			verification, seen, decision := h.Verify(t.Context(), a, lastTry)
			require.Nil(t, decision)
			require.Equal(t, deletion.VerificationGone, verification)
			require.Empty(t, seen.SubscriptionsEnded)
			require.Equal(t, before, h.deletes(), "nothing is probed")
			h.requireNobodyPaused(t)
		})
	}
}

func TestSubscriptionsOfOthersSayNothing(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.polar.AddCustomer(polartest.Customer{ExternalID: "another", ActiveSubscriptions: 1})
	a := h.deletedCustomer(t, false)
	h.polar.DropFilter("customer_id")
	verification, seen, decision := h.Verify(t.Context(), a, lastTry)
	require.Nil(t, decision)
	require.Equal(t, deletion.VerificationGone, verification)
	require.Empty(t, seen.SubscriptionsEnded)
}

func TestARateLimitedQuestionPausesAllCalls(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	a := h.deletedCustomer(t, true)
	h.polar.FailNextOf(polartest.OperationSubscriptions, 1, polartest.RateLimited(time.Second))
	_, _, decision := h.Verify(t.Context(), a, lastTry)
	require.Equal(t, deletion.Wait{Reason: deletion.WaitRateLimited, For: time.Second, Everybody: true}, withoutError(decision))
	require.Equal(t, []deletion.Decision{decision}, h.limiter.reports)
}
