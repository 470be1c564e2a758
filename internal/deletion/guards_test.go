package deletion_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestTheDeletionOfAnOrganizationIsNotHeldAsATeams(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.polar.AddCustomer(polartest.Customer{ExternalID: "org_1", Type: "team", CreatedAt: occurred().Add(-time.Hour)})
	a := attempt("org_1")
	h.requireHeld(t, a, deletion.HoldTeam)
	a.Object, a.UserID = deletion.ObjectOrganization, ""
	h.requireDeleted(t, a)
}

func TestATeamIsHeld(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"team", "enterprise"} {
		h := newHarness(t)
		team := h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: kind, CreatedAt: occurred().Add(-time.Hour)})
		seen := h.requireHeld(t, attempt("user_1"), deletion.HoldTeam)
		require.Equal(t, deletion.Customer{ID: team.ID, Type: kind, CreatedAt: team.CreatedAt, OrganizationID: polartest.OrganizationID}, seen.Customer)
		require.Equal(t, 200, seen.PolarStatus)

		h.requireHeld(t, approved(attempt("user_1"), team.ID, deletion.HoldRecreated, deletion.HoldMassDeletion), deletion.HoldTeam)
		h.requireDeleted(t, approved(attempt("user_1"), team.ID, deletion.HoldTeam))
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
		customer := h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", CreatedAt: occurred().Add(age)})
		if !younger {
			h.requireDeleted(t, attempt("user_1"))
			continue
		}
		h.requireHeld(t, attempt("user_1"), deletion.HoldRecreated)
		h.requireHeld(t, approved(attempt("user_1"), customer.ID, deletion.HoldTeam), deletion.HoldRecreated)
		h.requireDeleted(t, approved(attempt("user_1"), customer.ID, deletion.HoldRecreated))
	}
	h := newHarness(t, func(o *deletion.Options) { o.HoldRecreated = false })
	h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1"})
	h.requireDeleted(t, attempt("user_1"))
}

func TestAnEventWithoutAReadableTimeIsHeldIfThereIsACustomer(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	untimed := attempt("user_1")
	untimed.OccurredAt = time.Time{}
	h.requireHeld(t, untimed, deletion.HoldRecreated)
	h.requireDeleted(t, approved(untimed, h.customer.ID, deletion.HoldRecreated))

	untimed.ExternalID = "user_2"
	_, decision := h.apply(t.Context(), untimed)
	require.Equal(t, deletion.OutcomeNotFound, as[deletion.Done](t, decision).Outcome)
}

func TestAnApproval(t *testing.T) {
	t.Parallel()
	t.Run("passes one guard only", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		h.journal.hourFull = true
		team := h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: "team"})
		h.requireHeld(t, attempt("user_1"), deletion.HoldTeam)
		h.requireHeld(t, approved(attempt("user_1"), team.ID, deletion.HoldTeam), deletion.HoldRecreated)
		h.requireHeld(t, approved(attempt("user_1"), team.ID, deletion.HoldTeam, deletion.HoldRecreated), deletion.HoldMassDeletion)
		h.requireDeleted(t, approved(attempt("user_1"), team.ID, deletion.HoldTeam, deletion.HoldRecreated, deletion.HoldMassDeletion))
		require.False(t, h.journal.sendings[len(h.journal.sendings)-1].Counts, "what was approved takes no place")
	})
	t.Run("holds for the customer it was given for", func(t *testing.T) {
		t.Parallel()
		guards := []deletion.HoldReason{deletion.HoldTeam, deletion.HoldRecreated, deletion.HoldMassDeletion}
		for _, reason := range guards {
			h := newHarness(t)
			h.journal.hourFull = true
			others := slices.DeleteFunc(slices.Clone(guards), func(other deletion.HoldReason) bool { return other == reason })
			first := h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: "team"})
			second := h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: "team"})
			require.NotEqual(t, first.ID, second.ID)
			a := approved(attempt("user_1"), second.ID, others...)
			h.requireHeld(t, approved(a, first.ID, reason), reason)
			h.requireHeld(t, approved(a, "cus_another", reason), reason)
			h.requireDeleted(t, approved(a, second.ID, reason))
		}
	})
	t.Run("that was given before anybody was looked up holds for whoever is found", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: "team"})
		h.requireDeleted(t, approved(attempt("user_1"), "", deletion.HoldTeam, deletion.HoldRecreated))
	})
}

// Whether there is a place is the journal's to say; whether one is taken is said
// here.
func TestWhoTakesAPlaceInTheHour(t *testing.T) {
	t.Parallel()
	counts := func(h *harness) bool { return h.journal.sendings[len(h.journal.sendings)-1].Counts }

	t.Run("a customer does, each time they are sent", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		h.polar.FailNextOf(polartest.OperationDelete, 1, polartest.ResetBeforeCommit())
		_, decision := h.apply(t.Context(), attempt("user_1"))
		require.Equal(t, deletion.Retry{Reason: deletion.RetryNetworkError, Outage: true}, withoutError(decision))
		require.True(t, counts(h))
		h.requireDeleted(t, attempt("user_1"))
		require.Len(t, h.journal.sendings, 2)
		require.True(t, counts(h))
	})
	t.Run("and is held where there is none", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		h.journal.hourFull = true
		h.requireHeld(t, attempt("user_1"), deletion.HoldMassDeletion)
		require.True(t, h.polar.Exists("user_1"))
	})
	t.Run("who was never a customer does not", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		h.journal.hourFull = true
		_, decision := h.apply(t.Context(), attempt("user_2"))
		require.Equal(t, deletion.OutcomeNotFound, as[deletion.Done](t, decision).Outcome)
		require.False(t, counts(h))
	})
	t.Run("a dry run does", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		a := attempt("user_1")
		a.DryRun = true
		_, decision := h.apply(t.Context(), a)
		require.Equal(t, deletion.OutcomeDryRun, as[deletion.Done](t, decision).Outcome)
		require.True(t, counts(h))
	})
	t.Run("nobody does where nobody is looked up", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, func(o *deletion.Options) { o.LookBeforeDelete = false })
		h.requireDeleted(t, attempt("user_1"))
		require.False(t, counts(h))
	})
}

func TestADeletionThatCannotBeCountedWaits(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.journal.refuse = deletion.Retry{Reason: deletion.RetryDatabase, Err: errors.New("locked")}
	_, decision := h.apply(t.Context(), attempt("user_1"))
	require.Equal(t, h.journal.refuse, decision)
	require.Zero(t, h.deletes())
	require.Equal(t, []deletion.Decision{h.journal.refuse}, h.limiter.reports)
	require.False(t, as[deletion.Retry](t, decision).Outage, "that is not Polar's fault")
}

func TestAReplicaThatLagsHidesNobodyFromTheDeletion(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.polar.SetReplicaLag(time.Hour)
	h.polar.AddCustomer(polartest.Customer{ExternalID: "user_2", CreatedAt: occurred().Add(-time.Hour)})
	seen, _ := h.requireDeleted(t, attempt("user_2"))
	require.Zero(t, seen.Customer)

	// It may as well show somebody who is gone.
	h.polar.SetReplicaLag(0)
	h.polar.SetReplicaLag(time.Hour)
	_, decision := h.apply(t.Context(), attempt("user_2"))
	require.Equal(t, deletion.OutcomeNotFound, as[deletion.Done](t, decision).Outcome)
}

func TestTheAnswerToALookupIsJudgedAsThatToADELETE(t *testing.T) {
	t.Parallel()
	var (
		unauthorized = deletion.Wait{Reason: deletion.WaitUnauthorized, For: time.Minute, Everybody: true}
		serverError  = deletion.Retry{Reason: deletion.RetryServerError, Outage: true}
		networkError = deletion.Retry{Reason: deletion.RetryNetworkError, Outage: true}
		odd          = deletion.Hold{Reason: deletion.HoldUnexpected}
	)
	tests := []struct {
		name     string
		fault    polartest.Fault
		decision deletion.Decision
		probes   int
		result   string
	}{
		{"429 pauses all calls", polartest.RateLimited(8 * time.Second), deletion.Wait{Reason: deletion.WaitRateLimited, For: 8 * time.Second, Everybody: true}, 0, "rate_limited"},
		{"a revoked token pauses all calls", polartest.Status(401, "application/json", `{"error":"invalid_token"}`), unauthorized, 0, "unauthorized"},
		{"a missing scope pauses all calls", polartest.Status(403, "application/json", `{"error":"insufficient_scope"}`), unauthorized, 0, "unauthorized"},
		{"a 403 about this one is tried again alone", polartest.Cloudflare(1020), deletion.Retry{Reason: deletion.RetryForbidden}, 1, "forbidden"},
		{"500 is tried again", polartest.InternalError(), serverError, 0, "server_error"},
		{"a gateway's error is tried again", polartest.Gateway(520), serverError, 0, "server_error"},
		{"a reset is tried again", polartest.ResetBeforeCommit(), networkError, 0, "network_error"},
		{"half an answer is tried again", polartest.Truncated(), networkError, 0, "network_error"},
		{"no answer is tried again", polartest.Hang(), networkError, 0, "network_error"},
		{"422 is for a human", polartest.Status(422, "application/json", `{"error":"RequestValidationError"}`), deletion.Hold{Reason: deletion.HoldRejected}, 0, "rejected"},
		{"a web page for this one is for a human", polartest.HTMLPage(), odd, 1, "unexpected"},
		{"another customer is for a human", polartest.Status(200, "application/json", `{"id":"c","external_id":"user_2","created_at":"2026-01-01T00:00:00Z"}`), odd, 1, "unexpected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			failLookups(h.polar, tt.fault)
			seen, decision := h.apply(t.Context(), attempt("user_1"))
			require.Equal(t, tt.decision, withoutError(decision), "%v", errorOf(decision))
			require.Equal(t, []deletion.Decision{decision}, h.limiter.reports)
			require.False(t, seen.Sent, "a lookup changes nothing")
			require.Empty(t, h.journal.sendings, "nothing is about to be sent")
			require.Equal(t, tt.probes, h.deletes(), "nothing but a probe")
			require.Equal(t, tt.probes, h.limiter.charged)
			require.True(t, h.polar.Exists("user_1"))
			require.NotContains(t, errorOf(decision).Error(), "user_1")
			require.InDelta(t, 1, h.attempts(t, tt.result), 0)
		})
	}
}

func TestWhereEverythingIsOddALookupPausesAllCalls(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.polar.SetFault(polartest.HTMLPage())
	_, decision := h.apply(t.Context(), attempt("user_1"))
	require.Equal(t, deletion.Wait{Reason: deletion.WaitUnexpected, For: time.Minute, Everybody: true}, withoutError(decision))
	require.Equal(t, []deletion.Decision{decision}, h.limiter.reports)
	require.Equal(t, 1, h.limiter.charged)
}

func TestWithoutTheLookupOnlyTheDELETEIsSent(t *testing.T) {
	t.Parallel()
	h := newHarness(t, func(o *deletion.Options) { o.LookBeforeDelete = false })
	h.journal.hourFull = true
	h.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", Type: "team"})
	h.requireDeleted(t, attempt("user_1"))
	require.Equal(t, 1, h.polar.Calls())
	require.Equal(t, []int{1}, h.limiter.acquired)
}

func TestTheGracePeriodIsWaitedForBeforeAnythingIsAsked(t *testing.T) {
	t.Parallel()
	now := occurred().Add(10 * time.Minute)
	h := newHarness(t, func(o *deletion.Options) {
		o.GracePeriod, o.Now = time.Hour, func() time.Time { return now }
	})
	wait := func() deletion.Decision {
		_, decision := h.apply(t.Context(), attempt("user_1"))
		return withoutError(decision)
	}
	require.Equal(t, deletion.Wait{Reason: deletion.WaitGrace, For: 50 * time.Minute}, wait())
	now = now.Add(-365 * 24 * time.Hour)
	require.Equal(t, deletion.Wait{Reason: deletion.WaitGrace, For: time.Hour}, wait(), "a clock that stepped back prolongs it by no more than that")
	require.Zero(t, h.polar.Calls())
	require.Empty(t, h.limiter.acquired)
	now = occurred().Add(time.Hour)
	h.requireDeleted(t, attempt("user_1"))
}

// confirmer is an identity provider that decides always alike.
type confirmer struct {
	decision deletion.Decision
	asked    []string
}

func (c *confirmer) Confirm(_ context.Context, a deletion.Attempt) deletion.Decision {
	c.asked = append(c.asked, a.Provider+" "+a.UserID)
	return c.decision
}

func TestTheIdentityProviderIsAskedBeforeAPermitIsAcquired(t *testing.T) {
	t.Parallel()
	t.Run("that the user exists is for a human", func(t *testing.T) {
		t.Parallel()
		idp := &confirmer{decision: deletion.Hold{Reason: deletion.HoldUserExists, Err: errors.New("the user exists")}}
		h := newHarness(t, func(o *deletion.Options) { o.Confirmer = idp })
		_, decision := h.apply(t.Context(), attempt("user_1"))
		require.Equal(t, idp.decision, decision)
		require.Equal(t, []string{"clerk user_1"}, idp.asked)
		require.Empty(t, h.limiter.acquired)
		_, decision = h.apply(t.Context(), approved(attempt("user_1"), h.customer.ID, deletion.HoldTeam))
		require.Equal(t, idp.decision, decision)
		h.requireDeleted(t, approved(attempt("user_1"), h.customer.ID, deletion.HoldUserExists))
	})
	t.Run("no approval passes one that wants to be asked again", func(t *testing.T) {
		t.Parallel()
		for _, again := range []deletion.Decision{
			deletion.Wait{Reason: deletion.WaitUserPresent, For: time.Second}, deletion.Retry{Reason: deletion.RetryDirectoryUnavailable},
		} {
			h := newHarness(t, func(o *deletion.Options) { o.Confirmer = &confirmer{decision: again} })
			_, decision := h.apply(t.Context(), attempt("user_1"))
			require.Equal(t, again, decision)
			require.Empty(t, h.limiter.acquired)
		}
	})
}

func TestARepeatRemembersWhomAnEarlierAttemptFound(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.polar.FailNextOf(polartest.OperationDelete, 1, polartest.ResetAfterCommit())
	first, decision := h.apply(t.Context(), attempt("user_1"))
	require.IsType(t, deletion.Retry{}, decision)
	require.Equal(t, h.customer.ID, first.Customer.ID)

	repeat := attempt("user_1")
	repeat.AnswerLost, repeat.LostSaw, repeat.Seen = first.Sent, h.journal.sendings[0].Saw, first.Customer
	seen, done := h.requireDeleted(t, repeat)
	require.Equal(t, deletion.ConfirmedByRetry, done.ConfirmedBy)
	require.Equal(t, h.customer.ID, seen.Customer.ID)
}
