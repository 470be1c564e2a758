package polartest_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// clock is a clock that is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestRateLimitIsAFixedWindow(t *testing.T) {
	t.Parallel()
	clock := &clock{now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	server := polartest.Start(t, polartest.Options{RateLimit: 2, Now: clock.Now, Sandbox: true})
	server.AllowToken("read", polartest.TokenReadOnly)
	status := func(header string) int {
		response, _ := call(t, server, "DELETE", external+"u", header)
		return response.StatusCode
	}
	require.Equal(t, 404, status(good))
	clock.Advance(59 * time.Second)
	require.Equal(t, 403, status(bearer("read"))) // every token of the organization counts
	response, body := call(t, server, "DELETE", external+"u", good)
	require.Equal(t, 429, response.StatusCode)
	require.Empty(t, body)
	require.Equal(t, "60", response.Header.Get("Retry-After")) // although a second is left
	require.NotContains(t, response.Header, "Content-Type")
	require.NotContains(t, response.Header, "X-Polar-Sandbox")
	clock.Advance(time.Second)
	require.Equal(t, 404, status(good)) // the blocked call did not extend it

	require.Equal(t, 401, status(bearer("wrong")))
	require.Equal(t, 401, status("X-Nothing: 1"))
	require.Equal(t, 429, status(bearer("wrong"))) // before the token is looked at
}

func TestRetryAfterCanBeChosen(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{RateLimit: 1, RetryAfter: 8 * time.Second})
	_, _ = call(t, server, "DELETE", external+"u", good)
	response, _ := call(t, server, "DELETE", external+"u", good)
	require.Equal(t, "8", response.Header.Get("Retry-After"))
}
