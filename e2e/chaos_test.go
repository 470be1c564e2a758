package e2e_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// Settings of the chaos test: make chaos ROUNDS=200 SEED=1.
const (
	chaosRoundsVariable = "POLAR_BRIDGE_CHAOS_ROUNDS"
	chaosSeedVariable   = "POLAR_BRIDGE_CHAOS_SEED"
)

// TestChaos lets everything go wrong that can, each in an environment of its own, and
// holds what was acknowledged against Polar's journal. The scenarios run side
// by side, because they mostly wait.
func TestChaos(t *testing.T) {
	t.Parallel()
	seed := numberFrom(t, chaosSeedVariable, rand.Uint64N(1<<32))
	rounds := int(numberFrom(t, chaosRoundsVariable, 20))
	t.Logf("to repeat it: %s=%d %s=%d", chaosSeedVariable, seed, chaosRoundsVariable, rounds)
	all := scenarios(t)
	for i, s := range all {
		s.set(t, rand.New(rand.NewPCG(seed, uint64(i))))
	}
	for round := range rounds {
		for _, s := range all {
			switch round {
			case rounds / 4:
				s.fault(t)
			case rounds * 3 / 4:
				s.recover(t)
			}
			s.round(t)
		}
	}
	ended := time.Now()
	for _, s := range all {
		s.settle(t, 150*time.Second-time.Since(ended))
	}
	t.Logf("seed %d, %d rounds, settled %s after the last\n%s", seed, rounds, time.Since(ended).Round(time.Second), table(all))
	for _, s := range all {
		s.verify(t)
	}
}

// scenario is an environment, what goes wrong in it, and what it was sent.
type scenario struct {
	name       string
	database   string
	settings   []string
	begin, end func(t *testing.T, env *environment) // nil: nothing but kills
	replicas   int                                  // processes on the same database; 1 when it is 0
	killEvery  int                                  // rounds; 0 never kills
	burst      int                                  // deliveries in a round; 10 when it is 0
	repeats    float64                              // share of them; 0.2 when it is 0
	atMost     int                                  // calls a second while Polar is away; 0 is no bound

	env     *environment
	random  *rand.Rand
	client  *http.Client
	servers []*process
	ids     []string
	living  []string
	current int // the round

	sent, repeated, kills     int
	callsBefore, callsDuring  int
	faultedAt                 time.Time
	lasted                    time.Duration
	deleted, waiting, held    int
	lost, twice, unauthorized int

	mu           sync.Mutex
	acknowledged map[int]bool
	wrong        []string
}

func (s *scenario) set(t *testing.T, random *rand.Rand) {
	t.Helper()
	s.random, s.acknowledged = random, map[int]bool{}
	s.client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	t.Cleanup(s.client.CloseIdleConnections)
	if s.burst == 0 {
		s.burst = 10
	}
	if s.repeats == 0 {
		s.repeats = 0.2
	}
	s.env = newEnvironment(t, s.database, append(s.settings, "POLAR_TIMEOUT=1s")...)
	for range max(s.replicas, 1) {
		s.servers = append(s.servers, s.env.start(t))
	}
}

func (s *scenario) fault(t *testing.T) {
	t.Helper()
	if s.begin == nil {
		return
	}
	s.callsBefore, s.faultedAt = s.env.calls(), time.Now()
	s.begin(t, s.env)
}

func (s *scenario) recover(t *testing.T) {
	t.Helper()
	if s.begin == nil {
		return
	}
	s.callsDuring, s.lasted = s.env.calls()-s.callsBefore, time.Since(s.faultedAt)
	s.end(t, s.env)
}

// round sends a burst and now and then kills the process meanwhile.
func (s *scenario) round(t *testing.T) {
	t.Helper()
	s.current++
	var senders sync.WaitGroup
	answered := make(chan struct{}, s.burst)
	for range s.burst {
		send := s.next(t)
		to := s.servers[s.random.IntN(len(s.servers))]
		senders.Go(func() { send(to); answered <- struct{}{} })
	}
	if s.killEvery > 0 && s.current%s.killEvery == 0 {
		// After so many answers, so that a slow machine is killed in the middle, too.
		for range s.random.IntN(s.burst + 1) {
			<-answered
		}
		<-time.After(time.Duration(s.random.Int64N(int64(30 * time.Millisecond))))
		killed := s.random.IntN(len(s.servers))
		s.servers[killed].kill()
		s.kills++
		senders.Wait()
		s.servers[killed] = s.env.start(t)
	}
	senders.Wait()
}

// next is a delivery: a repeat, a forgery or a new event.
func (s *scenario) next(t *testing.T) func(*process) {
	t.Helper()
	s.sent++
	if s.random.Float64() < 0.1 {
		number := fmt.Sprint(len(s.living))
		id := "living_" + number
		s.living = append(s.living, id)
		s.env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
		forged := sign(t, "clerk", "msg_"+id, "ending_"+number)
		forged.body = bytes.ReplaceAll(forged.body, []byte("ending_"), []byte("living_"))
		return func(p *process) { s.post(t, p, -1, forged) }
	}
	i := len(s.ids)
	if i > 0 && s.random.Float64() < s.repeats {
		i = s.random.IntN(i)
		s.repeated++
	} else {
		s.ids = append(s.ids, fmt.Sprint("user_", i))
		s.env.polar.AddCustomer(polartest.Customer{ExternalID: s.ids[i], CreatedAt: longAgo()})
	}
	event := sign(t, "clerk", fmt.Sprint("msg_", i), s.ids[i])
	return func(p *process) { s.post(t, p, i, event) }
}

// post notes what was acknowledged; i is -1 for what is forged.
func (s *scenario) post(t *testing.T, p *process, i int, d delivery) {
	t.Helper()
	status, text := p.post(t.Context(), s.client, d)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case i >= 0 && status/100 == 2:
		s.acknowledged[i] = true
	case i < 0 && status == http.StatusUnauthorized, status == 0, status == http.StatusServiceUnavailable:
	default:
		s.wrong = append(s.wrong, fmt.Sprint(status, " ", text))
	}
}

// settle waits until nothing is to be done any more and counts.
func (s *scenario) settle(t *testing.T, within time.Duration) {
	t.Helper()
	end := time.Now().Add(within)
	all := s.env.jobs(t)
	for ; waiting(all) > 0 && time.Now().Before(end); all = s.env.jobs(t) {
		<-time.After(250 * time.Millisecond)
	}
	s.waiting = waiting(all)
	stored := map[string]job{}
	for _, j := range all {
		stored[j.eventID] = j
		if j.reason != "" {
			s.held++
		}
	}
	for i, id := range s.ids {
		j, known := stored[fmt.Sprint("msg_", i)]
		if s.acknowledged[i] && !known || j.state == "done" && s.env.polar.Exists(id) {
			s.lost++
		}
		times := s.env.polar.Deleted(id)
		s.deleted += min(times, 1)
		if times > 1 {
			s.twice++
		}
		if times > 0 && !known {
			s.unauthorized++
		}
	}
	for _, id := range s.living {
		if !s.env.polar.Exists(id) {
			s.unauthorized++
		}
	}
}

// verify requires what is promised.
func (s *scenario) verify(t *testing.T) {
	t.Helper()
	require.Empty(t, s.wrong, s.name)
	require.Zero(t, s.lost, s.name)
	require.Zero(t, s.twice, s.name)
	require.Zero(t, s.unauthorized, s.name)
	var output strings.Builder
	for _, server := range s.servers {
		output.WriteString(server.output())
	}
	require.Zero(t, s.waiting, "%s: %d still wait\n%s", s.name, s.waiting, output.String())
	require.Greater(t, len(s.acknowledged), len(s.ids)/4, "%s: too little came through for this to prove anything", s.name)
	if s.atMost > 0 {
		// A circuit lets one probe through at a time, and a start one worker each.
		most := 60 + s.atMost*int(s.lasted/time.Second)
		require.LessOrEqual(t, s.callsDuring, most, s.name)
	}
	require.NotContains(t, output.String(), "panic")
}

func table(all []*scenario) string {
	var text strings.Builder
	columns := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(columns, "scenario\tkills\tsent\trepeats\tforged\tevents\tacknowledged\tdeleted\twaiting\theld\tlost\ttwice\tunauthentic\tcalls\tin fault\tfor\t")
	for _, s := range all {
		fmt.Fprintf(columns, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n", s.name, s.kills, s.sent, s.repeated,
			len(s.living), len(s.ids), len(s.acknowledged), s.deleted, s.waiting, s.held, s.lost, s.twice, s.unauthorized,
			s.env.calls(), s.callsDuring, s.lasted.Round(time.Second))
	}
	_ = columns.Flush() // into memory
	return text.String()
}
