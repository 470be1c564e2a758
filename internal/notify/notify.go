// Package notify tells people, through a Slack-compatible webhook, when
// deletions wait for them. It is for shops without an Alertmanager.
//
// It is told what others have read and decides when that is worth a message. It
// must not know where the numbers come from, and no id ever reaches it.
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
	// quiet is the least time between two messages, and before what failed is
	// tried again.
	quiet = 5 * time.Minute
	// remindAfter is when what has not changed is said again, except about
	// held deletions, which may rightly wait for days.
	remindAfter     = time.Hour
	remindHeldAfter = 24 * time.Hour
	// over is how long something must not have been seen to be new again. A
	// pause for a refused token ends every minute, to try.
	over = 10 * time.Minute
	// tooLong is how long the oldest deletion may wait.
	tooLong = time.Hour
	// sendTimeout bounds one message.
	sendTimeout = 10 * time.Second
)

// State is what was read.
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

	tried        time.Time // last
	held         map[string]int
	heldSaid     time.Time
	unauthorized condition
	oldest       condition
}

// condition is something that holds or not.
type condition struct{ seen, said time.Time }

// due notes whether it holds now, and says whether that is worth a message.
func (c *condition) due(holds bool, now time.Time) bool {
	if holds {
		c.seen = now
	} else if now.Sub(c.seen) >= over {
		c.said = time.Time{}
	}
	return holds && (c.said.IsZero() || now.Sub(c.said) >= remindAfter)
}

// New makes a Notifier. Nothing is sent before Run.
func New(o Options) *Notifier {
	n := &Notifier{options: o, client: *o.Client, states: make(chan State, 1)}
	n.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	n.client.Timeout = sendTimeout
	return n
}

// Observe takes a new state and never waits; one that was not looked at yet is
// forgotten for it. It must not be called by two goroutines at once.
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
			n.Consider(ctx, s)
		case <-ctx.Done():
			return
		}
	}
}

// Consider sends one message about all that is due. Run calls it.
func (n *Notifier) Consider(ctx context.Context, s State) {
	now := n.options.Now()
	held := n.heldDue(s.Held, now)
	unauthorized := n.unauthorized.due(s.Unauthorized, now)
	oldest := n.oldest.due(!s.OldestWaiting.IsZero() && now.Sub(s.OldestWaiting) > tooLong, now)
	if !held && !unauthorized && !oldest || !n.tried.IsZero() && now.Sub(n.tried) < quiet {
		return
	}
	n.tried = now
	var lines []string
	if held {
		lines = append(lines, heldText(s.Held))
	}
	if unauthorized {
		lines = append(lines, "Polar refuses the access token; deletions wait and go on by themselves once POLAR_ACCESS_TOKEN works.")
	}
	if oldest {
		lines = append(lines, fmt.Sprintf("The oldest deletion has waited for %s; run `polar-bridge deletions stats`.", now.Sub(s.OldestWaiting).Truncate(time.Minute)))
	}
	if err := n.send(ctx, "polar-bridge: "+strings.Join(lines, "\n")); err != nil {
		if ctx.Err() == nil {
			n.options.Logger.Error("notification not sent", zap.Error(err), zap.Duration("retry_in", quiet))
		}
		return
	}
	if held {
		n.held, n.heldSaid = maps.Clone(s.Held), now
	}
	if unauthorized {
		n.unauthorized.said = now
	}
	if oldest {
		n.oldest.said = now
	}
}

// heldDue says whether there are more of a reason than were said, or whether
// it is time to say it again. What was let go is forgotten.
func (n *Notifier) heldDue(held map[string]int, now time.Time) bool {
	total, more := 0, false
	for reason, count := range held {
		total += count
		more = more || count > n.held[reason]
	}
	for reason, said := range n.held {
		n.held[reason] = min(said, held[reason])
	}
	return total > 0 && (more || now.Sub(n.heldSaid) >= remindHeldAfter)
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
	_ = response.Body.Close() // what it says matters not
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("post message: answered %d", response.StatusCode)
	}
	return nil
}
