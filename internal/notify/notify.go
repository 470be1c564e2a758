// Package notify sends messages to people, through a Slack-compatible webhook,
// when deletions wait for them. It is for shops without an Alertmanager.
//
// It gets the state that others have read and decides when that is worth a
// message. It must not know where the numbers come from, and no id ever reaches
// it.
package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"go.uber.org/zap"
)

const (
	// minInterval is the least time between two messages, and before one that
	// failed is tried again.
	minInterval = 5 * time.Minute
	// repeatAfter is when a message about an unchanged state is repeated, except
	// about held deletions, which may rightly wait for days.
	repeatAfter     = time.Hour
	repeatHeldAfter = 24 * time.Hour
	// resolvedAfter is how long a condition must not have held to be new again. A
	// pause for a refused token ends every minute, to try.
	resolvedAfter = 10 * time.Minute
	// maxWaiting is how long the oldest deletion may wait.
	maxWaiting = time.Hour
	// sendTimeout bounds one message.
	sendTimeout = 10 * time.Second
)

// State is what messages are about.
type State struct {
	// Held is how many deletions are held, by reason.
	Held map[string]int
	// Unauthorized says that Polar refuses the token.
	Unauthorized bool
	// OldestWaiting is since when the oldest deletion waits, zero for none.
	OldestWaiting time.Time
}

// Options for New.
type Options struct {
	// URL returns where messages go now.
	URL func() string
	// Client sends them. Its redirects are not followed.
	Client *http.Client
	Now    func() time.Time
	Logger *zap.Logger
}

// Notifier sends messages. Each replica has its own and may send.
type Notifier struct {
	options Options
	client  http.Client
	states  chan State

	lastTried    time.Time
	held         map[string]int // what the last message about held deletions said
	heldLastSent time.Time
	unauthorized condition
	oldest       condition
}

// condition is something that holds or not.
type condition struct{ lastSeen, lastSent time.Time }

// shouldSend notes whether it holds now, and says whether that is worth a message.
func (c *condition) shouldSend(holds bool, now time.Time) bool {
	if holds {
		c.lastSeen = now
	} else if now.Sub(c.lastSeen) >= resolvedAfter {
		c.lastSent = time.Time{}
	}
	return holds && (c.lastSent.IsZero() || now.Sub(c.lastSent) >= repeatAfter)
}

// New makes a Notifier. Nothing is sent before Run.
func New(o Options) *Notifier {
	n := &Notifier{options: o, client: *o.Client, states: make(chan State, 1)}
	n.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	n.client.Timeout = sendTimeout
	return n
}

// Observe takes a new state and never waits; it replaces one that was not
// evaluated yet. It must not be called by two goroutines at once.
func (n *Notifier) Observe(s State) {
	select {
	case <-n.states:
	default:
	}
	n.states <- s
}

// Run sends messages until ctx ends.
func (n *Notifier) Run(ctx context.Context) {
	for {
		select {
		case s := <-n.states:
			n.Evaluate(ctx, s)
		case <-ctx.Done():
			return
		}
	}
}

// Evaluate sends one message about all that is worth one. Run calls it.
func (n *Notifier) Evaluate(ctx context.Context, s State) {
	now := n.options.Now()
	held := n.shouldSendHeld(s.Held, now)
	unauthorized := n.unauthorized.shouldSend(s.Unauthorized, now)
	oldest := n.oldest.shouldSend(!s.OldestWaiting.IsZero() && now.Sub(s.OldestWaiting) > maxWaiting, now)
	if !held && !unauthorized && !oldest || !n.lastTried.IsZero() && now.Sub(n.lastTried) < minInterval {
		return
	}
	n.lastTried = now
	var lines []string
	if held {
		lines = append(lines, heldText(s.Held))
	}
	if unauthorized {
		lines = append(lines, "Polar refuses the access token; deletions wait, and resume by themselves once POLAR_ACCESS_TOKEN works.")
	}
	if oldest {
		lines = append(lines, fmt.Sprintf("The oldest deletion has waited for %s; run `polar-bridge deletions stats`.", now.Sub(s.OldestWaiting).Truncate(time.Minute)))
	}
	if err := n.send(ctx, "polar-bridge: "+strings.Join(lines, "\n")); err != nil {
		if ctx.Err() == nil {
			n.options.Logger.Error("send notification failed", zap.Error(err), zap.Duration("retry_in", minInterval))
		}
		return
	}
	if held {
		n.held, n.heldLastSent = maps.Clone(s.Held), now
	}
	if unauthorized {
		n.unauthorized.lastSent = now
	}
	if oldest {
		n.oldest.lastSent = now
	}
}

// shouldSendHeld says whether more are held for a reason than the last message
// said, or whether it is time to repeat it. Reasons that were resolved count as
// new afterwards.
func (n *Notifier) shouldSendHeld(held map[string]int, now time.Time) bool {
	total, more := 0, false
	for reason, count := range held {
		total += count
		more = more || count > n.held[reason]
	}
	for reason, sent := range n.held {
		n.held[reason] = min(sent, held[reason])
	}
	return total > 0 && (more || now.Sub(n.heldLastSent) >= repeatHeldAfter)
}

func heldText(held map[string]int) string {
	total, parts := 0, []string{}
	for _, reason := range slices.Sorted(maps.Keys(held)) {
		total += held[reason]
		parts = append(parts, fmt.Sprintf("%d %s", held[reason], reason))
	}
	return fmt.Sprintf("%d held for a human (%s); run `polar-bridge deletions list --state held`.", total, strings.Join(parts, ", "))
}

// send posts the text. No error of it contains the address.
func (n *Notifier) send(ctx context.Context, text string) error {
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, n.options.URL(), bytes.NewReader(body))
	if err != nil {
		return errors.New("the address in NOTIFY_URL cannot be used")
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := n.client.Do(request)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the address
		}
		return fmt.Errorf("post message: %w", err)
	}
	_ = response.Body.Close() // its body does not matter
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("post message: answered %d", response.StatusCode)
	}
	return nil
}
