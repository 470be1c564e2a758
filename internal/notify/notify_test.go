package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/polar-bridge/polar-bridge/internal/notify"
)

// channel is where messages arrive, over real HTTP.
type channel struct {
	*notify.Notifier
	posts  chan string
	status int
	clock  time.Time
	logs   *observer.ObservedLogs
	server *httptest.Server
}

func start(t *testing.T) *channel {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	c := &channel{posts: make(chan string, 10), logs: logs, status: http.StatusOK, clock: time.Unix(1_700_000_000, 0)}
	c.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var message map[string]string
		if err := json.UnmarshalRead(r.Body, &message); err != nil {
			t.Error(err)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(c.status)
		c.posts <- r.Method + " " + r.URL.Path + " " + message["text"]
	}))
	t.Cleanup(c.server.Close)
	c.Notifier = notify.New(notify.Options{
		URL:    func() string { return c.server.URL + "/secret-path" },
		Client: c.server.Client(), Now: func() time.Time { return c.clock }, Logger: zap.New(core),
	})
	return c
}

func (c *channel) pass(d time.Duration) { c.clock = c.clock.Add(d) }

// messages lets it see the state and returns what was sent because of it.
func (c *channel) messages(t *testing.T, s notify.State) []string {
	t.Helper()
	c.Evaluate(t.Context(), s)
	sent := []string{}
	for len(c.posts) > 0 {
		sent = append(sent, <-c.posts)
	}
	return sent
}

func held(team int) notify.State { return notify.State{Held: map[string]int{"team": team}} }

func TestNothingToSayIsNotSaid(t *testing.T) {
	t.Parallel()
	c := start(t)
	require.Empty(t, c.messages(t, notify.State{OldestWaiting: c.clock.Add(-time.Hour)}))
	require.Empty(t, c.messages(t, held(0)))
}

func TestOneMessageGroupsAllThatIsDue(t *testing.T) {
	t.Parallel()
	c := start(t)
	require.Equal(t, []string{"POST /secret-path polar-bridge: 5 held for a human (2 rejected, 3 team); run `polar-bridge deletions list --state held`.\n" +
		"Polar refuses the access token; deletions wait, and resume by themselves once POLAR_ACCESS_TOKEN works.\n" +
		"The oldest deletion has waited for 1h1m0s; run `polar-bridge deletions stats`."},
		c.messages(t, notify.State{Held: map[string]int{"team": 3, "rejected": 2}, Unauthorized: true, OldestWaiting: c.clock.Add(-61 * time.Minute)}))
}

func TestAThousandHeldDeletionsAreAMessageEveryFiveMinutes(t *testing.T) {
	t.Parallel()
	c := start(t)
	count := 0
	for i := range 1000 {
		count += len(c.messages(t, held(i+1)))
		c.pass(time.Second)
	}
	require.Equal(t, 4, count, "at 0, 300, 600 and 900 seconds")
}

func TestWhatStaysHeldIsSaidAgainAfterADayAndWhatIsHeldAnewAtOnce(t *testing.T) {
	t.Parallel()
	c := start(t)
	require.Len(t, c.messages(t, held(3)), 1)
	c.pass(23 * time.Hour)
	require.Empty(t, c.messages(t, held(3)))
	c.pass(time.Hour)
	require.Len(t, c.messages(t, held(3)), 1)
	c.pass(time.Hour)
	require.Empty(t, c.messages(t, held(1)), "fewer are good news")
	require.Len(t, c.messages(t, held(2)), 1, "one more than there were")
}

// The pause for a refused token ends every minute, to try.
func TestARefusedTokenIsSaidOnceAnHourHoweverItFlickers(t *testing.T) {
	t.Parallel()
	c := start(t)
	count := 0
	for i := range 119 {
		count += len(c.messages(t, notify.State{Unauthorized: i%2 == 0}))
		c.pass(time.Minute)
	}
	require.Equal(t, 2, count)
	require.Empty(t, c.messages(t, notify.State{}))
	c.pass(10 * time.Minute)
	require.Empty(t, c.messages(t, notify.State{}))
	c.pass(time.Minute)
	require.Len(t, c.messages(t, notify.State{Unauthorized: true}), 1, "it worked in between, so this is new")
}

func TestAFailureIsLoggedWithoutTheAddressAndTriedAgain(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(c *channel){
		"refused":    func(c *channel) { c.status = http.StatusForbidden },
		"redirected": func(c *channel) { c.status = http.StatusFound },
		"away":       func(c *channel) { c.server.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t)
			fail(c)
			sent := c.messages(t, held(1))
			require.LessOrEqual(t, len(sent), 1, "no redirect is followed")
			require.Empty(t, c.messages(t, held(1)))
			lines := c.logs.FilterMessage("send notification failed").All()
			require.Len(t, lines, 1)
			require.NotContains(t, fmt.Sprint(lines[0].ContextMap()), "secret-path")
			if name == "away" {
				return
			}
			c.status = http.StatusOK
			c.pass(5 * time.Minute)
			require.Len(t, c.messages(t, held(1)), 1)
			c.pass(5 * time.Minute)
			require.Empty(t, c.messages(t, held(1)))
		})
	}
}

func TestRunSendsWhatWasObservedAndEnds(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.Observe(held(1))
	c.Observe(held(2)) // never waits, and the newer counts
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	require.Contains(t, <-c.posts, "2 held")
	cancel()
	<-done
}
