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
		s := &story{
			world: newWorld(t, database, "POLAR_TIMEOUT=1s"), random: rand.New(rand.NewPCG(seed, 0)),
			client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8}},
			fates:  map[claim]*fate{}, alive: map[string]bool{},
		}
		s.server.Store(s.world.start(t))
		for range rounds {
			s.round(t)
		}
		s.world.polar.ClearFaults()
		require.Eventually(t, func() bool { return waiting(s.world.jobs(t)) == 0 }, 150*time.Second, 500*time.Millisecond, "something still waits")
		last := s.server.Load()
		last.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, 30*time.Second)
		require.Zero(t, last.terminate(t))
		s.judge(t, s.world.jobs(t))
		last.noSecrets(t)
		t.Logf("seed %d: %d events sent, %d deletions claimed, %d DELETEs at Polar, %d deliveries unanswered, %d kills",
			seed, s.sent.Load(), len(s.fates), s.world.deletes(), s.unanswered.Load(), s.kills)
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

// fate is what is known of a claim, besides what the program says.
type fate struct {
	externalID   string // "" when it cannot be carried out
	acknowledged bool
}

// shot is a delivery and what it may come to.
type shot struct {
	delivery

	eventID string // of what Clerk signs again
	claims  []claim
	status  int // but for 200 when it is a repeat, and 503 or no answer at all
}

// story is a random sequence of events and accidents.
type story struct {
	world  *world
	random *rand.Rand
	client *http.Client
	server atomic.Pointer[process]

	customers, events, kills int
	shots                    []shot
	alive                    map[string]bool // customers that nobody authentic asked to delete
	sent, unanswered         atomic.Int64

	mu    sync.Mutex
	fates map[claim]*fate
}

// round changes what goes wrong at Polar, sends a few deliveries at once, and
// now and then stops the process while they are under way.
func (s *story) round(t *testing.T) {
	t.Helper()
	s.world.polar.SetFaultFunc(s.weather())
	volley := make(chan shot, 20)
	for range 1 + s.random.IntN(cap(volley)) {
		volley <- s.next(t)
	}
	close(volley)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for one := range volley {
				s.send(t, one)
			}
		})
	}
	<-time.After(s.upTo(40 * time.Millisecond))
	switch s.random.IntN(5) {
	case 0:
		s.server.Load().kill()
		s.kills++
		s.server.Store(s.world.start(t))
	case 1:
		require.Zero(t, s.server.Load().terminate(t))
		s.server.Store(s.world.start(t))
	}
	senders.Wait()
	<-time.After(s.upTo(400 * time.Millisecond))
}

func (s *story) upTo(d time.Duration) time.Duration {
	return time.Duration(s.random.Int64N(int64(d)))
}

// weather chooses a fault that hits none, half or all of the calls.
func (s *story) weather() func(polartest.Entry) polartest.Fault {
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
func (s *story) send(t *testing.T, one shot) {
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
			s.fates[c].acknowledged = true
		}
	default:
		t.Errorf("%d %s, not %d, to %s %s", status, text, one.status, one.provider, one.body)
	}
}

// next makes a delivery: a repeat, or something new.
func (s *story) next(t *testing.T) shot {
	t.Helper()
	if len(s.shots) > 0 && s.random.Float64() < 0.3 {
		old := s.shots[s.random.IntN(len(s.shots))]
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
		return shot{delivery: signBody(t, id, body, time.Now()), status: 200}
	}
	provider := []string{"clerk", "auth0", "auth0-logs"}[s.random.IntN(3)]
	externalID := s.doomed()
	return s.keep(shot{
		delivery: sign(t, provider, id, externalID), eventID: id, status: 202,
		claims: s.claim(provider, id, externalID),
	})
}

// keep remembers a delivery, so that it may be repeated.
func (s *story) keep(one shot) shot {
	s.shots = append(s.shots, one)
	return one
}

func (s *story) claim(provider, eventID, externalID string) []claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := claim{provider, eventID}
	s.fates[c] = &fate{externalID: externalID}
	return []claim{c}
}

// customer adds one whose id is awkward to address.
func (s *story) customer() string {
	s.customers++
	form := []string{"user_%d", "auth0|%d", "ü %d", "a#%d", "a?b=%d", "a%%2F%d", "a+b;%d", "%d\\", "https:%d"}[s.random.IntN(9)]
	id := fmt.Sprintf(form, s.customers)
	s.world.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
	return id
}

// doomed is a customer to be deleted, sometimes one that another event named.
func (s *story) doomed() string {
	if len(s.shots) > 0 && s.random.IntN(10) == 0 {
		if old := s.shots[s.random.IntN(len(s.shots))]; len(old.claims) > 0 && s.fates[old.claims[0]].externalID != "" {
			return s.fates[old.claims[0]].externalID
		}
	}
	return s.customer()
}

// living is a customer that must not be deleted.
func (s *story) living() string {
	s.customers++
	id := fmt.Sprint("living_", s.customers)
	s.world.polar.AddCustomer(polartest.Customer{ExternalID: id})
	s.alive[id] = true
	return id
}

// forged is a delivery that proves nothing.
func (s *story) forged(t *testing.T, id string) shot {
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
	return shot{delivery: d, status: 401}
}

// unusable is a deletion that a human has to look at.
func (s *story) unusable(t *testing.T, id string) shot {
	t.Helper()
	if s.random.IntN(2) == 0 { // at Polar that path is a member of a customer
		return shot{delivery: sign(t, "auth0", id, s.living()+"/members/x"), status: 202, claims: s.claim("auth0", id, "")}
	}
	value := []string{`5`, `null`, `""`, `".."`, `"a\u0000b"`, `{"id":"` + s.living() + `"}`}[s.random.IntN(6)]
	body := `{"type":"user.deleted","data":{"object":"user","deleted":true,"id":` + value + `}}`
	return shot{delivery: signBody(t, id, body, time.Now()), eventID: id, status: 202, claims: s.claim("clerk", id, "")}
}

// batch is a body of log lines, of which some are deletions.
func (s *story) batch(t *testing.T, id string) shot {
	t.Helper()
	one := shot{delivery: delivery{"auth0-logs", http.Header{"Authorization": {logsToken}}, nil}, status: 202}
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
		externalID := s.doomed()
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
func (w *world) jobs(t *testing.T) []job {
	t.Helper()
	var all []job
	lines := json.NewDecoder(strings.NewReader(w.bridge(t, 0, "deletions", "list", "--limit", "0", "--json")))
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

// judge holds what Polar and the database say against what was sent.
func (s *story) judge(t *testing.T, all []job) {
	t.Helper()
	asked := map[string]bool{} // what may have been deleted
	must := map[string]bool{}  // what must have been
	for _, f := range s.fates {
		asked[f.externalID] = true
		if f.acknowledged {
			must[f.externalID] = true
		}
	}
	stored := map[claim]bool{}
	for _, j := range all {
		f, ok := s.fates[j.claim]
		require.True(t, ok, "nobody authentic asked for %v", j)
		require.False(t, stored[j.claim], "twice: %v", j)
		stored[j.claim] = true
		require.Equal(t, f.externalID == "", j.reason != "", "%v %q", j, f.externalID)
		must[f.externalID] = true // not acknowledged, but stored: then also done
	}
	acknowledged := 0
	for c, f := range s.fates {
		require.True(t, stored[c] || !f.acknowledged, "acknowledged and lost: %v", c)
		if f.acknowledged {
			acknowledged++
		}
	}
	require.Greater(t, acknowledged, len(s.fates)/3, "too little came through for this to prove anything")
	delete(must, "")
	delete(asked, "")
	for id := range must {
		require.Equal(t, 1, s.world.polar.Deleted(id), "%q was not deleted exactly once", id)
	}
	for id := range s.alive {
		require.True(t, s.world.polar.Exists(id), "%q was deleted, though nobody authentic asked for it", id)
	}
	deleted := 0
	for _, call := range s.world.polar.Journal() {
		require.Contains(t, []polartest.Operation{polartest.OperationGet, polartest.OperationDelete}, call.Operation, call.RawPath)
		require.True(t, asked[call.ExternalID], "Polar was asked about %q", call.ExternalID)
		if call.Committed {
			deleted++
		}
	}
	require.Equal(t, len(must), deleted)
}
