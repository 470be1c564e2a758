package e2e_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// Settings of the property test, for long runs and for repeating one.
const (
	seedVariable   = "POLAR_BRIDGE_PROPERTY_SEED"
	roundsVariable = "POLAR_BRIDGE_PROPERTY_ROUNDS"
)

func TestWhateverHappensEveryDeletionIsDoneOnceAndNothingElse(t *testing.T) {
	t.Parallel()
	seed := numberFrom(t, seedVariable, rand.Uint64N(1<<32))
	rounds := numberFrom(t, roundsVariable, 30)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to repeat it: %s=%d %s=%d", seedVariable, seed, roundsVariable, rounds)
		}
	})
	databasetest.EachURL(t, func(t *testing.T, database string) {
		s := &sequence{
			env: newEnvironment(t, database, "POLAR_TIMEOUT=1s"), random: rand.New(rand.NewPCG(seed, 0)),
			client:   &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8}},
			outcomes: map[claim]*outcome{}, alive: map[string]bool{},
		}
		s.server.Store(s.env.start(t))
		for range rounds {
			s.round(t)
		}
		s.env.polar.ClearFaults()
		require.Eventually(t, func() bool { return waiting(s.env.jobs(t)) == 0 }, 150*time.Second, 500*time.Millisecond, "something still waits")
		last := s.server.Load()
		last.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, 30*time.Second)
		require.Zero(t, last.terminate(t))
		s.verify(t, s.env.jobs(t))
		last.noSecrets(t)
		t.Logf("seed %d: %d events sent, %d deletions claimed, %d DELETEs at Polar, %d deliveries unanswered, %d kills",
			seed, s.sent.Load(), len(s.outcomes), s.env.deletes(), s.unanswered.Load(), s.kills)
	})
}

func numberFrom(t *testing.T, variable string, fallback uint64) uint64 {
	t.Helper()
	number, err := strconv.ParseUint(cmp.Or(os.Getenv(variable), fmt.Sprint(fallback)), 10, 64)
	require.NoError(t, err)
	return number
}

// claim is one deletion that an authentic event asks for.
type claim struct{ provider, eventID string }

// outcome is what is known of a claim, besides what the program says.
type outcome struct {
	externalID   string // "" when it cannot be carried out
	acknowledged bool
}

// request is a delivery and what it may come to.
type request struct {
	delivery

	eventID string // of what Clerk signs again
	claims  []claim
	status  int // but for 200 when it is a repeat, and 503 or no answer at all
}

// sequence is a random sequence of events and accidents.
type sequence struct {
	env    *environment
	random *rand.Rand
	client *http.Client
	server atomic.Pointer[process]

	customers, events, kills int
	requests                 []request
	alive                    map[string]bool // customers that nobody authentic asked to delete
	sent, unanswered         atomic.Int64

	mu       sync.Mutex
	outcomes map[claim]*outcome
}

// round changes what goes wrong at Polar, sends a few deliveries at once, and
// now and then stops the process while they are under way.
func (s *sequence) round(t *testing.T) {
	t.Helper()
	s.env.polar.SetFaultFunc(s.nextFault())
	burst := make(chan request, 20)
	for range 1 + s.random.IntN(cap(burst)) {
		burst <- s.next(t)
	}
	close(burst)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for one := range burst {
				s.send(t, one)
			}
		})
	}
	<-time.After(s.upTo(40 * time.Millisecond))
	switch s.random.IntN(5) {
	case 0:
		s.server.Load().kill()
		s.kills++
		s.server.Store(s.env.start(t))
	case 1:
		require.Zero(t, s.server.Load().terminate(t))
		s.server.Store(s.env.start(t))
	}
	senders.Wait()
	<-time.After(s.upTo(400 * time.Millisecond))
}

func (s *sequence) upTo(d time.Duration) time.Duration {
	return time.Duration(s.random.Int64N(int64(d)))
}

// nextFault chooses a fault that hits none, half or all of the calls.
func (s *sequence) nextFault() func(polartest.Entry) polartest.Fault {
	faults := []polartest.Fault{
		{},
		polartest.InternalError(), polartest.Gateway(503), polartest.Gateway(520).AfterCommit(), polartest.RateLimited(time.Second),
		polartest.ResetBeforeCommit(), polartest.ResetAfterCommit(), polartest.Slow(200 * time.Millisecond),
		polartest.Slow(1200 * time.Millisecond), polartest.Slow(1200 * time.Millisecond).AfterCommit(),
		polartest.Hang(), polartest.Hang().AfterCommit(), polartest.Truncated(),
	}
	fault, every := faults[s.random.IntN(len(faults))], 1+s.random.IntN(3)
	return func(e polartest.Entry) polartest.Fault {
		if e.Seq%every != 0 {
			return polartest.Fault{}
		}
		return fault
	}
}

// send posts and notes whether it was acknowledged.
func (s *sequence) send(t *testing.T, one request) {
	t.Helper()
	s.sent.Add(1)
	status, text := s.server.Load().post(t.Context(), s.client, one.delivery)
	switch {
	case status == 0 || status == http.StatusServiceUnavailable:
		s.unanswered.Add(1)
	case status == one.status, status == http.StatusOK && one.status == http.StatusAccepted:
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range one.claims {
			s.outcomes[c].acknowledged = true
		}
	default:
		t.Errorf("%d %s, not %d, to %s %s", status, text, one.status, one.provider, one.body)
	}
}

// next makes a delivery: a repeat, or something new.
func (s *sequence) next(t *testing.T) request {
	t.Helper()
	if len(s.requests) > 0 && s.random.Float64() < 0.3 {
		old := s.requests[s.random.IntN(len(s.requests))]
		if old.provider == "clerk" { // its age counts
			old.delivery = signBody(t, old.eventID, string(old.body), time.Now())
		}
		return old
	}
	s.events++
	id := fmt.Sprint("evt_", s.events)
	switch s.random.IntN(10) {
	case 0:
		return s.forged(t, id)
	case 1:
		return s.keep(s.unusable(t, id))
	case 2:
		return s.keep(s.batch(t, id))
	case 3: // authentic, but nothing to delete
		body := `{"type":"user.updated","data":{"object":"user","id":"` + s.living() + `"}}`
		return request{delivery: signBody(t, id, body, time.Now()), status: 200}
	}
	provider := []string{"clerk", "auth0", "auth0-logs"}[s.random.IntN(3)]
	externalID := s.toDelete()
	return s.keep(request{
		delivery: sign(t, provider, id, externalID), eventID: id, status: 202,
		claims: s.claim(provider, id, externalID),
	})
}

// keep remembers a delivery, so that it may be repeated.
func (s *sequence) keep(one request) request {
	s.requests = append(s.requests, one)
	return one
}

func (s *sequence) claim(provider, eventID, externalID string) []claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := claim{provider, eventID}
	s.outcomes[c] = &outcome{externalID: externalID}
	return []claim{c}
}

// customer adds one whose id is awkward to address.
func (s *sequence) customer() string {
	s.customers++
	form := []string{"user_%d", "auth0|%d", "ü %d", "a#%d", "a?b=%d", "a%%2F%d", "a+b;%d", "%d\\", "https:%d"}[s.random.IntN(9)]
	id := fmt.Sprintf(form, s.customers)
	s.env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
	return id
}

// toDelete is a customer to be deleted, sometimes one that another event named.
func (s *sequence) toDelete() string {
	if len(s.requests) > 0 && s.random.IntN(10) == 0 {
		if old := s.requests[s.random.IntN(len(s.requests))]; len(old.claims) > 0 && s.outcomes[old.claims[0]].externalID != "" {
			return s.outcomes[old.claims[0]].externalID
		}
	}
	return s.customer()
}

// living is a customer that must not be deleted.
func (s *sequence) living() string {
	s.customers++
	id := fmt.Sprint("living_", s.customers)
	s.env.polar.AddCustomer(polartest.Customer{ExternalID: id})
	s.alive[id] = true
	return id
}

// forged is a delivery that proves nothing.
func (s *sequence) forged(t *testing.T, id string) request {
	t.Helper()
	d := sign(t, []string{"clerk", "auth0", "auth0-logs"}[s.random.IntN(3)], id, s.living())
	switch {
	case d.provider == "clerk" && s.random.IntN(2) == 0:
		d.body = []byte(strings.Replace(string(d.body), "living_", "ending_", 1))
	case d.provider == "clerk":
		d = signBody(t, id, string(d.body), time.Now().Add(-time.Hour))
	default:
		d = d.with("Authorization", d.header.Get("Authorization")+"x")
	}
	return request{delivery: d, status: 401}
}

// unusable is a deletion that a human has to look at.
func (s *sequence) unusable(t *testing.T, id string) request {
	t.Helper()
	if s.random.IntN(2) == 0 { // at Polar that path is a member of a customer
		return request{delivery: sign(t, "auth0", id, s.living()+"/members/x"), status: 202, claims: s.claim("auth0", id, "")}
	}
	value := []string{`5`, `null`, `""`, `".."`, `"a\u0000b"`, `{"id":"` + s.living() + `"}`}[s.random.IntN(6)]
	body := `{"type":"user.deleted","data":{"object":"user","deleted":true,"id":` + value + `}}`
	return request{delivery: signBody(t, id, body, time.Now()), eventID: id, status: 202, claims: s.claim("clerk", id, "")}
}

// batch is a body of log lines, of which some are deletions.
func (s *sequence) batch(t *testing.T, id string) request {
	t.Helper()
	one := request{delivery: delivery{"auth0-logs", http.Header{"Authorization": {logsToken}}, nil}, status: 202}
	add := func(i int, kind, externalID string) {
		user, err := json.Marshal(externalID)
		require.NoError(t, err)
		one.body = fmt.Appendf(one.body, `{"log_id":"%s_%d","data":{"type":%q,"user_id":%s}}`+"\n", id, i, kind, user)
	}
	for i := range 2 + s.random.IntN(7) {
		switch s.random.IntN(5) {
		case 0:
			add(i, "s", s.living())
			continue
		case 1:
			add(i, "fdu", s.living())
			continue
		}
		externalID := s.toDelete()
		add(i, "sdu", externalID)
		one.claims = append(one.claims, s.claim("auth0-logs", fmt.Sprintf("%s_%d", id, i), externalID)...)
	}
	if len(one.claims) == 0 {
		one.status = 200
	}
	return one
}

// job is a deletion as an operator sees it.
type job struct {
	claim

	state, reason string
}

// jobs lists all deletions.
func (env *environment) jobs(t *testing.T) []job {
	t.Helper()
	var all []job
	lines := json.NewDecoder(strings.NewReader(env.bridge(t, 0, "deletions", "list", "--limit", "0", "--json")))
	for lines.More() {
		var l listed
		require.NoError(t, lines.Decode(&l))
		all = append(all, job{claim{l.Provider, l.EventID}, l.State, l.HoldReason})
	}
	return all
}

func waiting(all []job) int {
	n := 0
	for _, j := range all {
		if j.state == "waiting" {
			n++
		}
	}
	return n
}

// verify holds what Polar and the database say against what was sent.
func (s *sequence) verify(t *testing.T, all []job) {
	t.Helper()
	asked := map[string]bool{} // what may have been deleted
	must := map[string]bool{}  // what must have been
	for _, f := range s.outcomes {
		asked[f.externalID] = true
		if f.acknowledged {
			must[f.externalID] = true
		}
	}
	stored := map[claim]bool{}
	for _, j := range all {
		f, ok := s.outcomes[j.claim]
		require.True(t, ok, "nobody authentic asked for %v", j)
		require.False(t, stored[j.claim], "twice: %v", j)
		stored[j.claim] = true
		require.Equal(t, f.externalID == "", j.reason != "", "%v %q", j, f.externalID)
		must[f.externalID] = true // not acknowledged, but stored: then also done
	}
	acknowledged := 0
	for c, f := range s.outcomes {
		require.True(t, stored[c] || !f.acknowledged, "acknowledged and lost: %v", c)
		if f.acknowledged {
			acknowledged++
		}
	}
	require.Greater(t, acknowledged, len(s.outcomes)/3, "too little came through for this to prove anything")
	delete(must, "")
	delete(asked, "")
	for id := range must {
		require.Equal(t, 1, s.env.polar.Deleted(id), "%q was not deleted exactly once", id)
	}
	for id := range s.alive {
		require.True(t, s.env.polar.Exists(id), "%q was deleted, though nobody authentic asked for it", id)
	}
	deleted := 0
	for _, call := range s.env.journal() {
		require.Contains(t, []polartest.Operation{polartest.OperationGet, polartest.OperationDelete}, call.Operation, call.RawPath)
		require.True(t, asked[call.ExternalID], "Polar was asked about %q", call.ExternalID)
		if call.Committed {
			deleted++
		}
	}
	require.Equal(t, len(must), deleted)
}
