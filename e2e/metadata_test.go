package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// metadataShop is a shop of 10,000 customers: 7,000 have an external id, and 3,000 have the
// user's id only in their own metadata, in those of a subscription or of an order. The
// first ten of these are ambiguous, and beside the next ten somebody planted the id.
type metadataShop struct {
	customers map[string]string // Polar's id by the user's
	addressed []string          // asked for: by the external id
	named     []string          // by metadata, twenty of them ambiguous or planted
	strangers []string          // nobody's
}

const shopAsks = 100 // each kind, and twice as many by metadata

func (env *environment) openShop() metadataShop {
	s := metadataShop{customers: map[string]string{}}
	add := func(id string, c polartest.Customer) {
		c.CreatedAt = longAgo()
		s.customers[id] = env.polar.AddCustomer(c).ID
	}
	names := func(id string) map[string]any { return map[string]any{"userId": id} }
	kinds := []func(id string) polartest.Customer{
		func(id string) polartest.Customer { return polartest.Customer{Metadata: names(id)} },
		func(id string) polartest.Customer {
			return polartest.Customer{ActiveSubscriptions: 1, SubscriptionMetadata: names(id)}
		},
		func(id string) polartest.Customer { return polartest.Customer{Orders: []map[string]any{names(id)}} },
	}
	const byMetadata, doubtful = 2_990, 10
	for i := range 7_000 {
		id := fmt.Sprint("user_", i)
		c := polartest.Customer{ExternalID: id, Metadata: names(id), ActiveSubscriptions: i % 2}
		if i < doubtful { // whoever checked out with this customer's e-mail
			c.Metadata = names(fmt.Sprint("meta_", doubtful+i))
		}
		add(id, c)
	}
	for i := range byMetadata {
		id := fmt.Sprint("meta_", i)
		add(id, kinds[i%len(kinds)](id))
	}
	for i := range doubtful {
		add(fmt.Sprint("second_", i), kinds[(i+1)%len(kinds)](fmt.Sprint("meta_", i)))
	}
	for i := range shopAsks {
		s.addressed = append(s.addressed, fmt.Sprint("user_", i))
		s.named = append(s.named, fmt.Sprint("meta_", 2*i), fmt.Sprint("meta_", 2*i+1))
		s.strangers = append(s.strangers, fmt.Sprint("stranger_", i))
	}
	return s
}

// asked delivers the deletions of all whom the shop is asked for.
func (s metadataShop) asked(t *testing.T, p *process) {
	t.Helper()
	server := &atomic.Pointer[process]{}
	server.Store(p)
	f := flood{servers: []*atomic.Pointer[process]{server}}
	all := append(append(append([]string{}, s.addressed...), s.named...), s.strangers...)
	f.run(t, all)
	f.senders.Wait()
	require.EqualValues(t, len(all), f.accepted.Load())
}

// left are the ids of the customers who are still there.
func (env *environment) left() map[string]bool {
	left := map[string]bool{}
	for _, c := range env.polar.Customers() {
		left[c.ID] = true
	}
	return left
}

// heldNow are the deletions that are held, by the user's id: their reason and customer.
func (env *environment) heldNow(t *testing.T) map[string][2]string {
	t.Helper()
	found := map[string][2]string{}
	text := env.bridge(t, 0, "deletions", "list", "--state", "held", "--limit", "0", "--json")
	for line := range strings.Lines(text) {
		var r struct {
			listed

			CustomerID string `json:"customer_id"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		found[r.ExternalID] = [2]string{r.HoldReason, r.CustomerID}
	}
	return found
}

func finished(outcome string) string {
	return fmt.Sprintf(`polar_bridge_deletions_total{outcome=%q,provider="clerk"}`, outcome)
}

func searched(result string) string {
	return fmt.Sprintf(`polar_bridge_metadata_searches_total{result=%q}`, result)
}

// eachDeletedOnce is asked of those who were found by metadata and approved. A request
// whose answer did not come in time may be repeated; no other may.
func (env *environment) eachDeletedOnce(t *testing.T, p *process, users []string, customers map[string]string) {
	t.Helper()
	want, deleted := map[string]int{}, map[string]int{}
	for _, id := range users {
		want[customers[id]] = 1
	}
	for _, call := range env.polar.Journal() {
		if call.Operation == polartest.OperationDeleteByID && call.Committed {
			deleted[path.Base(call.RawPath)]++
		}
	}
	require.Equal(t, want, deleted)
	lost := p.metric(t, `polar_bridge_deletion_attempts_total{provider="clerk",result="network_error"}`)
	require.LessOrEqual(t, env.polar.CallsOf(polartest.OperationDeleteByID), len(users)+int(lost), "requests without a cause\n%s", p.output())
}

func TestOfTenThousandCustomersThoseAskedForAreHeld(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		const ambiguous, found = 10, 2*shopAsks - 10
		env := newEnvironment(t, database, "POLAR_METADATA_KEY=userId", "POLAR_CONCURRENCY=16", "VERIFY_AFTER=1s")
		s := env.openShop()
		p := env.start(t)
		s.asked(t, p)
		p.waitMetric(t, finished("deleted"), shopAsks, time.Minute)
		p.waitMetric(t, finished("not_found"), shopAsks, time.Minute)
		p.waitMetric(t, `polar_bridge_deletions_pending{state="held"}`, found+ambiguous, time.Minute)
		want := map[string][2]string{}
		for i, id := range s.named {
			want[id] = [2]string{"found_by_metadata", s.customers[id]}
			if i < ambiguous {
				want[id] = [2]string{"ambiguous_metadata", ""}
			}
		}
		require.Equal(t, want, env.heldNow(t))
		expected := map[string]bool{}
		for _, id := range s.customers {
			expected[id] = true
		}
		for _, id := range s.addressed {
			delete(expected, s.customers[id])
		}
		require.Equal(t, expected, env.left(), "nobody is deleted before an approval")
		p.waitMetric(t, verifications("gone"), shopAsks, time.Minute)

		one := env.deletion(t, "meta_0", "held")
		id := strconv.FormatInt(one.ID, 10)
		shown := env.bridge(t, 0, "deletions", "show", id)
		require.Contains(t, shown, s.customers["meta_0"])
		require.Contains(t, shown, s.customers["second_0"])
		require.Contains(t, env.failing(t, "deletions", "approve", id), "several customers carry this id")
		env.bridge(t, 0, "deletions", "approve", "--reason", "found_by_metadata", "--yes")
		p.waitMetric(t, finished("deleted"), shopAsks+found, 2*time.Minute)
		for i, id := range s.named {
			if i >= ambiguous {
				delete(expected, s.customers[id])
			}
		}
		require.Equal(t, expected, env.left(), "exactly those who were approved")
		p.waitMetric(t, verifications("gone"), shopAsks+found, 2*time.Minute)
		require.Len(t, env.heldNow(t), ambiguous)
		env.eachDeletedOnce(t, p, s.named[ambiguous:], s.customers)
		proofs := env.proofs(t)
		for _, i := range []int{30, 31, 32} { // of each kind
			id := fmt.Sprint("meta_", i)
			kind := []string{"customers", "subscriptions", "orders"}[i%3]
			require.Equal(t, []string{"deleted", "answer", "true", "gone", s.customers[id], kind},
				[]string{proofs[id]["outcome"], proofs[id]["confirmed_by"], proofs[id]["anonymized"], proofs[id]["verification"], proofs[id]["customer_id"], proofs[id]["metadata_search"]})
		}
		require.Equal(t, "nobody", proofs["stranger_1"]["metadata_search"])
	})
}

func TestWithoutAMetadataKeyNobodyIsSearched(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t), "POLAR_CONCURRENCY=16", "VERIFY_AFTER=0s")
	s := env.openShop()
	p := env.start(t)
	before := env.polar.Calls()
	s.asked(t, p)
	p.waitMetric(t, finished("not_found"), 3*shopAsks, time.Minute)
	p.waitMetric(t, finished("deleted"), shopAsks, time.Minute)
	require.Empty(t, env.heldNow(t))
	require.Len(t, env.left(), len(s.customers)-shopAsks)
	require.Equal(t, 2*4*shopAsks, env.polar.Calls()-before)
}

func TestAFilterThatPolarIgnoresDeletesAndHoldsNobody(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database, "POLAR_METADATA_KEY=userId", "POLAR_CONCURRENCY=16", "VERIFY_AFTER=0s")
		s := env.openShop()
		env.polar.DropFilter("metadata[userId]")
		p := env.start(t)
		s.asked(t, p)
		p.waitMetric(t, finished("not_found"), 3*shopAsks, time.Minute)
		p.waitMetric(t, finished("deleted"), shopAsks, time.Minute)
		require.InDelta(t, 3*shopAsks, p.metric(t, searched("filter_ignored")), 0)
		require.Empty(t, env.heldNow(t))
		require.Len(t, env.left(), len(s.customers)-shopAsks)
		p.says(t, "Polar ignores the filter by metadata")
		require.Contains(t, env.bridge(t, 0, "deletions", "show", strconv.FormatInt(env.deletion(t, "meta_0", "done").ID, 10)), "Polar ignored the filter")
	})
}

// What docs/guards.md says of requests is measured here.
func TestWhatASearchByMetadataCosts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		settings                              []string
		addressed, stranger, byName, approved int
	}{
		"without the key":                     {nil, 2, 2, 2, 0},
		"without the key and without looking": {[]string{"LOOK_BEFORE_DELETE=false"}, 1, 1, 1, 0},
		"with the key":                        {[]string{"POLAR_METADATA_KEY=userId"}, 2, 5, 6, 4},
		"with the key and without looking":    {[]string{"POLAR_METADATA_KEY=userId", "LOOK_BEFORE_DELETE=false"}, 1, 4, 5, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnvironment(t, databasetest.SQLite(t), append(tt.settings, "VERIFY_AFTER=0s")...)
			env.addCustomers(1)
			env.polar.AddCustomer(polartest.Customer{CreatedAt: longAgo(), Metadata: map[string]any{"userId": "named"}})
			p := env.start(t)
			spent := func(id, state string) int {
				before := env.polar.Calls()
				p.deliver(t, sign(t, "clerk", "msg_"+id, id), http.StatusAccepted)
				env.deletion(t, id, state)
				return env.polar.Calls() - before
			}
			ends := map[bool]string{true: "held", false: "done"}[tt.approved > 0]
			addressed, stranger, byName := spent("user_0000", "done"), spent("stranger", "done"), spent("named", ends)
			approved := 0
			if tt.approved > 0 {
				before := env.polar.Calls()
				env.approve(t, "named")
				env.deletion(t, "named", "done")
				approved = env.polar.Calls() - before
				require.Empty(t, env.polar.Customers())
			}
			t.Logf("requests: customer by external id %d, nobody %d, by metadata %d, approved %d", addressed, stranger, byName, approved)
			require.Equal(t, []int{tt.addressed, tt.stranger, tt.byName, tt.approved}, []int{addressed, stranger, byName, approved})
		})
	}
}

func TestAKillDuringTheSearchLosesNobody(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database, "POLAR_METADATA_KEY=userId", "VERIFY_AFTER=0s")
		customer := env.polar.AddCustomer(polartest.Customer{CreatedAt: longAgo(), Orders: []map[string]any{{"userId": "user_1"}}}).ID
		env.polar.FailNextOf(polartest.OperationOrders, 1, polartest.Hang())
		p := env.start(t)
		p.deliver(t, sign(t, "clerk", "msg_1", "user_1"), http.StatusAccepted)
		require.Eventually(t, func() bool { return env.polar.CallsOf(polartest.OperationOrders) == 1 }, time.Minute, 5*time.Millisecond)
		require.Equal(t, 1, env.deletes(), "answered: there is no such customer")
		p.kill()
		p = env.start(t)
		p.waitMetric(t, held("clerk", "found_by_metadata"), 1, 3*time.Minute)
		require.Equal(t, [2]string{"found_by_metadata", customer}, env.heldNow(t)["user_1"])

		env.polar.FailNextOf(polartest.OperationDeleteByID, 1, polartest.Hang().AfterCommit())
		env.approve(t, "user_1")
		require.Eventually(t, func() bool { return len(env.polar.Customers()) == 0 }, time.Minute, 5*time.Millisecond)
		p.kill()
		p = env.start(t)
		p.waitMetric(t, finished("deleted"), 1, 3*time.Minute)
		proof := env.proofs(t)["user_1"]
		require.Equal(t, []string{"deleted", "retry", customer, "orders"}, []string{proof["outcome"], proof["confirmed_by"], proof["customer_id"], proof["metadata_search"]})
	})
}
