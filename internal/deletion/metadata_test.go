package deletion_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

const leaver = "user_left"

// searching is a Deleter with a metadata key, and customers who have no external id.
func searching(t *testing.T, change ...func(*deletion.Options)) *harness {
	t.Helper()
	return newHarness(t, append([]func(*deletion.Options){func(o *deletion.Options) { o.MetadataKey = "userId" }}, change...)...)
}

// names is metadata that names the user.
func names(id any) map[string]any { return map[string]any{"userId": id, "plan": "pro"} }

// add adds a customer who is older than the event.
func (h *harness) add(c polartest.Customer) polartest.Customer {
	c.CreatedAt = occurred().AddDate(0, -1, 0)
	return h.polar.AddCustomer(c)
}

// searches counts the requests of searches.
func (h *harness) searches() int {
	count := h.polar.CallsOf(polartest.OperationList) + h.polar.CallsOf(polartest.OperationOrders)
	return count + h.polar.CallsOf(polartest.OperationSubscriptions)
}

// lives reports whether the customer with that id of Polar's own is there.
func (h *harness) lives(id string) bool {
	for _, c := range h.polar.Customers() {
		if c.ID == id {
			return true
		}
	}
	return false
}

// requireSearched requires what the search and the whole attempt came to, and that
// nobody was deleted.
func (h *harness) requireSearched(t *testing.T, a deletion.Attempt, want deletion.Search, decision deletion.Decision) deletion.Observed {
	t.Helper()
	before := len(h.polar.Customers())
	seen, got := h.apply(t.Context(), a)
	require.Equal(t, decision, withoutError(got), "%v", errorOf(got))
	require.Equal(t, want, seen.Search)
	require.Len(t, h.polar.Customers(), before)
	require.False(t, seen.Sent)
	h.requireNobodyPaused(t)
	return seen
}

var (
	holdFound     = deletion.Hold{Reason: deletion.HoldFoundByMetadata}                                           //nolint:gochecknoglobals // compared only
	holdAmbiguous = deletion.Hold{Reason: deletion.HoldAmbiguousMetadata}                                         //nolint:gochecknoglobals // compared only
	endsNotFound  = deletion.Done{Outcome: deletion.OutcomeNotFound, ConfirmedBy: deletion.ConfirmedByAnswer}     //nolint:gochecknoglobals // compared only
	endsDeleted   = deletion.Done{Outcome: deletion.OutcomeDeleted, ConfirmedBy: deletion.ConfirmedByAnswer}      //nolint:gochecknoglobals // compared only
	endsUnseen    = deletion.Done{Outcome: deletion.OutcomeDeleted, ConfirmedBy: deletion.ConfirmedByRetryUnseen} //nolint:gochecknoglobals // compared only
	endsByRetry   = deletion.Done{Outcome: deletion.OutcomeDeleted, ConfirmedBy: deletion.ConfirmedByRetry}       //nolint:gochecknoglobals // compared only
	triesAgain    = deletion.Retry{Reason: deletion.RetryLookup}                                                  //nolint:gochecknoglobals // compared only
)

func TestWhoeverIsFoundByMetadataIsHeld(t *testing.T) {
	t.Parallel()
	mine := names(leaver)
	deleted := func(h *harness, c polartest.Customer) {
		id := h.add(c).ID
		response, err := http.DefaultClient.Do(request(t, http.MethodDelete, h.polar.URL().JoinPath("/v1/customers", id).String()))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
	}
	for name, tt := range map[string]struct {
		customers []polartest.Customer
		want      deletion.Search
		decision  deletion.Decision
	}{
		"by their own":                  {[]polartest.Customer{{Metadata: mine}}, deletion.SearchCustomers, holdFound},
		"by a subscription's":           {[]polartest.Customer{{ActiveSubscriptions: 2, SubscriptionMetadata: mine}}, deletion.SearchSubscriptions, holdFound},
		"by an order's":                 {[]polartest.Customer{{Orders: []map[string]any{nil, mine}}}, deletion.SearchOrders, holdFound},
		"by all of them":                {[]polartest.Customer{{Metadata: mine, ActiveSubscriptions: 1, SubscriptionMetadata: mine, Orders: []map[string]any{mine}}}, deletion.SearchCustomers, holdFound},
		"several of a kind":             {[]polartest.Customer{{Metadata: mine}, {Metadata: mine}}, deletion.SearchAmbiguous, holdAmbiguous},
		"several of two kinds":          {[]polartest.Customer{{Metadata: mine}, {Orders: []map[string]any{mine}}}, deletion.SearchAmbiguous, holdAmbiguous},
		"more orders than a page":       {[]polartest.Customer{{Orders: repeat(mine, 101)}}, deletion.SearchAmbiguous, holdAmbiguous},
		"not with another external id":  {[]polartest.Customer{{ExternalID: "another", Metadata: mine, Orders: []map[string]any{mine}}}, deletion.SearchNobody, endsNotFound},
		"not by another user's":         {[]polartest.Customer{{Metadata: names("user_lef")}, {Metadata: names(leaver + "x")}}, deletion.SearchNobody, endsNotFound},
		"not by another key":            {[]polartest.Customer{{Metadata: map[string]any{"UserId": leaver}}}, deletion.SearchNobody, endsNotFound},
		"not if nobody has anything":    {nil, deletion.SearchNobody, endsNotFound},
		"and another's external id too": {[]polartest.Customer{{Metadata: mine}, {ExternalID: "another", Metadata: mine}}, deletion.SearchCustomers, holdFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := searching(t)
			deleted(h, polartest.Customer{Metadata: mine, ActiveSubscriptions: 1, SubscriptionMetadata: mine, Orders: []map[string]any{mine}})
			var first polartest.Customer
			for i, c := range tt.customers {
				if c = h.add(c); i == 0 {
					first = c
				}
			}
			seen := h.requireSearched(t, attempt(leaver), tt.want, tt.decision)
			require.Equal(t, 3, h.searches())
			require.Equal(t, 1, h.deletes())
			switch tt.decision {
			case holdFound:
				require.Equal(t, first.ID, seen.Customer.ID)
				require.Equal(t, &deletion.Loss{ActiveSubscriptions: first.ActiveSubscriptions}, seen.Loss)
				require.Equal(t, 4, h.limiter.charged, "each request is counted")
			case holdAmbiguous:
				require.Len(t, seen.Candidates, len(tt.customers))
				require.Contains(t, seen.Candidates, first.ID)
			default:
				require.Equal(t, 3, h.limiter.charged)
				require.Equal(t, http.StatusNotFound, seen.PolarStatus, "it is what the DELETE was answered")
			}
		})
	}
}

func TestWhoeverIsAnotherOrganizationsIsNotFound(t *testing.T) {
	t.Parallel()
	h := searching(t, func(o *deletion.Options) {
		o.Owns = func(organization string) bool { return organization != polartest.OrganizationID }
	})
	h.add(polartest.Customer{Metadata: names(leaver), Orders: []map[string]any{names(leaver)}})
	h.requireSearched(t, attempt(leaver), deletion.SearchNobody, endsNotFound)
}

func TestOfManyCustomersTenAreKept(t *testing.T) {
	t.Parallel()
	h := searching(t)
	for range 11 {
		h.add(polartest.Customer{Metadata: names(leaver)})
	}
	require.Len(t, h.requireSearched(t, attempt(leaver), deletion.SearchAmbiguous, holdAmbiguous).Candidates, 10)
}

// request is one with Polar's token.
func request(t *testing.T, method, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+polartest.DefaultToken)
	return r
}

func repeat(metadata map[string]any, count int) (all []map[string]any) {
	for range count {
		all = append(all, metadata)
	}
	return all
}

func TestNobodyIsSearchedWhereTheExternalIDSaysEnough(t *testing.T) {
	t.Parallel()
	t.Run("without the key", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t)
		h.add(polartest.Customer{Metadata: names(leaver)})
		h.requireSearched(t, attempt(leaver), "", endsNotFound)
		require.Equal(t, 2, h.polar.Calls())
	})
	t.Run("with a customer", func(t *testing.T) {
		t.Parallel()
		h := searching(t)
		h.add(polartest.Customer{Metadata: names("user_1")})
		_, done := h.requireDeleted(t, attempt("user_1"))
		require.Equal(t, endsDeleted, done)
		require.Equal(t, 2, h.polar.Calls())
	})
	t.Run("after a request that has deleted them", func(t *testing.T) {
		t.Parallel()
		h := searching(t)
		h.add(polartest.Customer{Metadata: names(leaver)})
		a := attempt(leaver)
		a.AnswerLost, a.LostSaw = true, deletion.SawCustomer
		_, done := h.requireDeleted(t, a)
		require.Equal(t, endsByRetry, done)
		require.Zero(t, h.searches())
	})
}

func TestAfterACrashThereIsASearch(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		saw  deletion.Saw
		ends deletion.Decision
	}{
		"when the lookup had found nobody": {deletion.SawNobody, endsNotFound},
		"when nobody had looked":           {deletion.SawNothing, endsUnseen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := attempt(leaver)
			a.AnswerLost, a.LostSaw = true, tt.saw
			h := searching(t)
			h.requireSearched(t, a, deletion.SearchNobody, tt.ends)
			h.add(polartest.Customer{Metadata: names(leaver)})
			h.requireSearched(t, a, deletion.SearchCustomers, holdFound)
		})
	}
}

func TestAFilterThatPolarIgnoresHoldsNobody(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*harness){
		"it returns everybody":     func(h *harness) { h.polar.DropFilter("metadata[userId]") },
		"a number is not the text": func(h *harness) { h.add(polartest.Customer{Metadata: names(42)}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := searching(t)
			prepare(h)
			h.requireSearched(t, attempt("42"), deletion.SearchFilterIgnored, endsNotFound)
			require.Equal(t, 1, h.searches(), "it stops the search")
			require.Equal(t, 1, h.logs.FilterMessageSnippet("Polar ignores the filter").Len())
			require.InDelta(t, 1, h.searched(t, deletion.SearchFilterIgnored), 0, "an alert is made of it")
		})
	}
}

func TestATokenWithoutTheScopesSearchesWhatItMaySee(t *testing.T) {
	t.Parallel()
	for _, kind := range []polartest.TokenKind{polartest.TokenWriteOnly, polartest.TokenWithoutOrders} {
		h := searching(t)
		h.polar.AllowToken(polartest.DefaultToken, kind)
		h.add(polartest.Customer{Orders: []map[string]any{names(leaver)}})
		h.requireSearched(t, attempt(leaver), deletion.SearchUnsearchable, endsNotFound)
		require.InDelta(t, 1, h.searched(t, deletion.SearchUnsearchable), 0)
		h.add(polartest.Customer{Metadata: names(leaver)})
		h.requireSearched(t, attempt(leaver), deletion.SearchCustomers, holdFound)
	}
}

func TestASearchThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, of := range []polartest.Operation{polartest.OperationList, polartest.OperationSubscriptions, polartest.OperationOrders} {
		for name, fault := range map[string]polartest.Fault{
			"500": polartest.InternalError(), "503": polartest.Gateway(503), "403": polartest.Challenge(), "page": polartest.HTMLPage(),
			"404": polartest.RouteMissing(), "redirect": polartest.Redirect("https://example.com/"), "truncated": polartest.Truncated(),
			"422": polartest.Status(422, "application/json", `{"error":"RequestValidationError"}`), "nobody": polartest.Status(404, "application/json", `{"error":"ResourceNotFound"}`),
		} {
			t.Run(string(of)+" "+name, func(t *testing.T) {
				t.Parallel()
				h := searching(t)
				customer := h.add(polartest.Customer{Orders: []map[string]any{names(leaver)}})
				h.polar.FailNextOf(of, 1, fault)
				h.requireSearched(t, attempt(leaver), deletion.SearchNobody, triesAgain)
				require.Equal(t, customer.ID, h.requireSearched(t, attempt(leaver), deletion.SearchOrders, holdFound).Customer.ID)
				h.polar.FailNextOf(of, 1, fault)
				h.requireSearched(t, approved(attempt(leaver), "", deletion.HoldExhausted), deletion.SearchUnsearchable, endsNotFound)
			})
		}
	}
	t.Run("429 pauses everybody", func(t *testing.T) {
		t.Parallel()
		h := searching(t)
		h.polar.FailNextOf(polartest.OperationOrders, 1, polartest.RateLimited(1))
		_, decision := h.apply(t.Context(), attempt(leaver))
		require.True(t, as[deletion.Wait](t, decision).Everybody)
	})
	t.Run("a stop ends it", func(t *testing.T) {
		t.Parallel()
		h := searching(t)
		h.polar.FailNextOf(polartest.OperationSubscriptions, 1, polartest.Hang())
		_, decision := h.apply(h.cancelAfter(t, polartest.OperationSubscriptions, 1), attempt(leaver))
		require.Equal(t, deletion.Wait{Reason: deletion.WaitStopping}, withoutError(decision))
	})
	t.Run("a limiter that cannot count ends it", func(t *testing.T) {
		t.Parallel()
		h := searching(t)
		h.limiter.chargeError = errors.New("no database")
		h.requireSearched(t, attempt(leaver), deletion.SearchNobody, deletion.Retry{Reason: deletion.RetryDatabase})
	})
}
