package deletion_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/window"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

var _ deletion.Window = (*window.Window)(nil)

// fewPlaces is a window that lets so many deletions through.
type fewPlaces struct {
	places  int
	broken  error
	mutex   sync.Mutex
	counted map[int64]int
}

func (f *fewPlaces) Admit(_ context.Context, id int64) (bool, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.broken != nil {
		return false, f.broken
	}
	if f.counted == nil {
		f.counted = map[int64]int{}
	}
	if f.counted[id] == 0 && len(f.counted) >= f.places {
		return false, nil
	}
	f.counted[id]++
	return true, nil
}

func approved(a event.Attempt, reasons ...event.HoldReason) event.Attempt {
	a.Approved = reasons
	return a
}

// requireHeld requires that the deletion is held for the reason and that Polar
// was not asked to delete anything.
func (h *harness) requireHeld(t *testing.T, a event.Attempt, reason event.HoldReason) event.Result {
	t.Helper()
	before := h.deletes()
	result, err := h.Apply(t.Context(), a)
	require.Equal(t, fault.Held, fault.KindOf(err), "%v", err)
	require.Equal(t, string(reason), fault.ReasonOf(err))
	require.Equal(t, before, h.deletes())
	require.Equal(t, report{}, h.slots.reports[len(h.slots.reports)-1], "Polar answered sensibly")
	require.NotContains(t, err.Error(), a.ExternalID)
	return result
}

func (h *harness) requireDeleted(t *testing.T, a event.Attempt) event.Result {
	t.Helper()
	result, err := h.Apply(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, event.OutcomeDeleted, result.Outcome)
	return result
}

func TestATeamIsHeld(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"team", "enterprise"} {
		h := newHarness(t)
		team := h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: kind, CreatedAt: occurred().Add(-time.Hour)})
		result := h.requireHeld(t, attempt("user_1"), event.HoldTeam)
		require.Equal(t, event.Customer{ID: team.ID, Type: kind, CreatedAt: team.CreatedAt}, result.Customer)
		require.Equal(t, 200, result.PolarStatus)

		h.requireHeld(t, approved(attempt("user_1"), event.HoldRecreated, event.HoldMassDeletion), event.HoldTeam)
		h.requireDeleted(t, approved(attempt("user_1"), event.HoldTeam))
	}
	h := newHarness(t, func(o *deletion.Options) { o.HoldTeam = false })
	h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: "team", CreatedAt: occurred().Add(-time.Hour)})
	h.requireDeleted(t, attempt("user_1"))
}

func TestACustomerYoungerThanTheEventIsHeld(t *testing.T) {
	t.Parallel()
	for age, younger := range map[time.Duration]bool{
		-time.Hour: false, 0: false, 5 * time.Second: false, 5*time.Second + time.Microsecond: true, 72 * time.Hour: true,
	} {
		h := newHarness(t)
		h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", CreatedAt: occurred().Add(age)})
		if !younger {
			h.requireDeleted(t, attempt("user_1"))
			continue
		}
		h.requireHeld(t, attempt("user_1"), event.HoldRecreated)
		h.requireHeld(t, approved(attempt("user_1"), event.HoldTeam), event.HoldRecreated)
		h.requireDeleted(t, approved(attempt("user_1"), event.HoldRecreated))
	}
	h := newHarness(t, func(o *deletion.Options) { o.HoldRecreated = false })
	h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1"})
	h.requireDeleted(t, attempt("user_1"))
}

func TestOneApprovalPassesOneGuardOnly(t *testing.T) {
	t.Parallel()
	full := &fewPlaces{}
	h := newHarness(t, func(o *deletion.Options) { o.Window = full })
	h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: "team"})
	h.requireHeld(t, attempt("user_1"), event.HoldTeam)
	h.requireHeld(t, approved(attempt("user_1"), event.HoldTeam), event.HoldRecreated)
	h.requireHeld(t, approved(attempt("user_1"), event.HoldTeam, event.HoldRecreated), event.HoldMassDeletion)
	h.requireDeleted(t, approved(attempt("user_1"), event.HoldTeam, event.HoldRecreated, event.HoldMassDeletion))
	require.Empty(t, full.counted, "what was approved takes no place")
}

func TestDeletionsBeyondTheUsualAreHeld(t *testing.T) {
	t.Parallel()
	places := &fewPlaces{places: 1}
	h := newHarness(t, func(o *deletion.Options) { o.Window = places })
	h.polar.AddCustomer(polartest.Customer{ExternalID: "user_2", CreatedAt: occurred().Add(-time.Hour)})
	second := attempt("user_2")
	second.ID = 8

	h.polar.FailNextOf(polartest.OperationDelete, 1, polartest.ResetBeforeCommit())
	_, err := h.Apply(t.Context(), attempt("user_1"))
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	h.requireHeld(t, second, event.HoldMassDeletion)
	h.requireDeleted(t, attempt("user_1"))
	require.Equal(t, map[int64]int{7: 2}, places.counted)
	h.requireHeld(t, second, event.HoldMassDeletion)
	require.True(t, h.polar.Exists("user_2"))
}

func TestWhoWasNeverACustomerTakesNoPlace(t *testing.T) {
	t.Parallel()
	places := &fewPlaces{}
	h := newHarness(t, func(o *deletion.Options) { o.Window = places })
	result, err := h.Apply(t.Context(), attempt("user_2"))
	require.NoError(t, err)
	require.Equal(t, event.OutcomeNotFound, result.Outcome)
}

func TestADeletionThatCannotBeCountedWaits(t *testing.T) {
	t.Parallel()
	h := newHarness(t, func(o *deletion.Options) {
		o.Window = &fewPlaces{broken: fault.New(fault.Unavailable, fault.ReasonDatabase, "locked")}
	})
	_, err := h.Apply(t.Context(), attempt("user_1"))
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Equal(t, fault.ReasonDatabase, fault.ReasonOf(err))
	require.Zero(t, h.deletes())
	require.Equal(t, []report{{}}, h.slots.reports, "that is not Polar's fault")
}

func TestAReplicaThatLagsHidesNobodyFromTheDeletion(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.polar.SetReplicaLag(time.Hour)
	h.polar.AddCustomer(polartest.Customer{ExternalID: "user_2", CreatedAt: occurred().Add(-time.Hour)})
	result := h.requireDeleted(t, attempt("user_2"))
	require.Zero(t, result.Customer)

	// It may as well show somebody who is gone.
	h.polar.SetReplicaLag(0)
	h.polar.SetReplicaLag(time.Hour)
	gone, err := h.Apply(t.Context(), attempt("user_2"))
	require.NoError(t, err)
	require.Equal(t, event.OutcomeNotFound, gone.Outcome)
}

// breakLooks makes all looks fail, and no DELETE.
func breakLooks(s *polartest.Server, fault polartest.Fault) {
	s.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
		if e.Operation == polartest.OperationDelete {
			return polartest.Fault{}
		}
		return fault
	})
}

func TestALookIsJudgedAsADeletionIs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		broken polartest.Fault
		kind   fault.Kind
		reason string
		report report
		probes int
		result string
	}{
		{"429 stops everybody", polartest.RateLimited(8 * time.Second), fault.Paused, fault.PauseRateLimited, report{fault.PauseRateLimited, 8 * time.Second}, 0, "rate_limited"},
		{"a revoked token stops everybody", polartest.Status(401, "application/json", `{"error":"invalid_token"}`), fault.Paused, fault.PauseUnauthorized, report{fault.PauseUnauthorized, time.Minute}, 0, "unauthorized"},
		{"a missing scope stops everybody", polartest.Status(403, "application/json", `{"error":"insufficient_scope"}`), fault.Paused, fault.PauseUnauthorized, report{fault.PauseUnauthorized, time.Minute}, 0, "unauthorized"},
		{"a 403 about this one is tried again alone", polartest.Cloudflare(1020), fault.Unavailable, "forbidden", report{}, 1, "forbidden"},
		{"500 is tried again", polartest.InternalError(), fault.Unavailable, "server_error", report{pause: fault.PauseOutage}, 0, "server_error"},
		{"a gateway's error is tried again", polartest.Gateway(520), fault.Unavailable, "server_error", report{pause: fault.PauseOutage}, 0, "server_error"},
		{"a reset is tried again", polartest.ResetBeforeCommit(), fault.Unavailable, "network_error", report{pause: fault.PauseOutage}, 0, "network_error"},
		{"half an answer is tried again", polartest.Truncated(), fault.Unavailable, "network_error", report{pause: fault.PauseOutage}, 0, "network_error"},
		{"no answer is tried again", polartest.Hang(), fault.Unavailable, "network_error", report{pause: fault.PauseOutage}, 0, "network_error"},
		{"422 is for a human", polartest.Status(422, "application/json", `{"error":"RequestValidationError"}`), fault.Held, string(event.HoldRejected), report{}, 0, "rejected"},
		{"a web page for this one is for a human", polartest.HTMLPage(), fault.Held, string(event.HoldUnexpected), report{}, 1, "unexpected"},
		{"another customer is for a human", polartest.Status(200, "application/json", `{"id":"c","external_id":"user_2","created_at":"2026-01-01T00:00:00Z"}`), fault.Held, string(event.HoldUnexpected), report{}, 1, "unexpected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			breakLooks(h.polar, tt.broken)
			result, err := h.Apply(t.Context(), attempt("user_1"))
			require.Equal(t, tt.kind, fault.KindOf(err), "%v", err)
			require.Equal(t, tt.reason, fault.ReasonOf(err))
			require.Equal(t, tt.report.wait, fault.RetryAfterOf(err))
			require.Equal(t, []report{tt.report}, h.slots.reports)
			require.False(t, result.AnswerLost, "a look changes nothing")
			require.Equal(t, tt.probes, h.deletes(), "nothing but a probe")
			require.True(t, h.polar.Exists("user_1"))
			require.NotContains(t, err.Error(), "user_1")
			require.InDelta(t, 1, h.attempts(t, tt.result), 0)
		})
	}
}

func TestWhereEverythingIsOddALookStopsEverybody(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.polar.SetFault(polartest.HTMLPage())
	_, err := h.Apply(t.Context(), attempt("user_1"))
	require.Equal(t, fault.Paused, fault.KindOf(err))
	require.Equal(t, []report{{fault.PauseUnexpected, time.Minute}}, h.slots.reports)
	require.Equal(t, 1, h.slots.spent)
}

func TestALookBrokenOffByUsSaysNothingAboutPolar(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.polar.SetFault(polartest.Hang())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if err := h.polar.WaitForCalls(ctx, 1); err == nil {
			cancel()
		}
	}()
	result, err := h.Apply(ctx, attempt("user_1"))
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, result.AnswerLost)
	require.Empty(t, h.slots.reports)
}

func TestWithoutTheLookOnlyTheDELETEIsSent(t *testing.T) {
	t.Parallel()
	h := newHarness(t, func(o *deletion.Options) { o.LookBeforeDelete, o.Window = false, &fewPlaces{} })
	h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: "team"})
	h.requireDeleted(t, attempt("user_1"))
	require.Equal(t, 1, h.polar.Calls())
	require.Equal(t, []int{1}, h.slots.taken)
}

func TestTheGracePeriodIsWaitedForBeforeAnythingIsAsked(t *testing.T) {
	t.Parallel()
	now := occurred().Add(10 * time.Minute)
	h := newHarness(t, func(o *deletion.Options) {
		o.GracePeriod, o.Now = time.Hour, func() time.Time { return now }
	})
	wait := func() (fault.Kind, time.Duration) {
		_, err := h.Apply(t.Context(), attempt("user_1"))
		return fault.KindOf(err), fault.RetryAfterOf(err)
	}
	kind, left := wait()
	require.Equal(t, fault.Paused, kind)
	require.Equal(t, 50*time.Minute, left)
	now = now.Add(-365 * 24 * time.Hour)
	_, left = wait()
	require.Equal(t, time.Hour, left, "a clock that stepped back prolongs it by no more than that")
	require.Zero(t, h.polar.Calls())
	require.Empty(t, h.slots.taken)
	now = occurred().Add(time.Hour)
	h.requireDeleted(t, attempt("user_1"))
}

// stillThere is an identity provider that says that the user exists.
type stillThere struct{ asked []string }

func (s *stillThere) Gone(_ context.Context, a event.Attempt) error {
	s.asked = append(s.asked, a.Provider+" "+a.UserID)
	return fault.New(fault.Held, "user_exists", "the user exists")
}

func TestTheIdentityProviderIsAskedBeforeASlotIsTaken(t *testing.T) {
	t.Parallel()
	idp := &stillThere{}
	h := newHarness(t, func(o *deletion.Options) { o.Confirmer = idp })
	_, err := h.Apply(t.Context(), attempt("user_1"))
	require.Equal(t, "user_exists", fault.ReasonOf(err))
	require.Equal(t, []string{"clerk user_1"}, idp.asked)
	require.Empty(t, h.slots.taken)
	_, err = h.Apply(t.Context(), approved(attempt("user_1"), event.HoldTeam))
	require.Equal(t, "user_exists", fault.ReasonOf(err))
	h.requireDeleted(t, approved(attempt("user_1"), "user_exists"))
}

func TestARepeatRemembersWhomAnEarlierAttemptFound(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.polar.FailNextOf(polartest.OperationDelete, 1, polartest.ResetAfterCommit())
	first, err := h.Apply(t.Context(), attempt("user_1"))
	require.Error(t, err)
	require.Equal(t, h.customer.ID, first.Customer.ID)

	repeat := attempt("user_1")
	repeat.AnswerLost, repeat.Seen = first.AnswerLost, first.Customer
	result := h.requireDeleted(t, repeat)
	require.Equal(t, event.ConfirmedByRetry, result.ConfirmedBy)
	require.Equal(t, h.customer.ID, result.Customer.ID)
}
