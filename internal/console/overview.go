package console

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// Status is what a server knows besides the deletions.
type Status struct {
	// Paused is why Polar is not called at present, "" when it is.
	Paused deletion.WaitReason
	// OtherOrganization says that nothing is sent, because the database belongs to
	// another Polar organization.
	OtherOrganization bool
	// Damaged says that the database's integrity check failed.
	Damaged bool
	// Answers are Polar's last to this server, the newest first.
	Answers []Answer
	// Reconciled are the sweeps that RECONCILE_INTERVAL asks for.
	Reconciled []Reconciled
	// Customers are how many of Polar's a deletion can find.
	Customers Customers
}

// Customers were counted by doctor or reconcile: those whose external id a deletion can
// find, and those whose external id is of another form, or who have none.
type Customers struct {
	At            time.Time // zero for never
	Present, Lost int
}

// Reconciled is a provider's last complete sweep.
type Reconciled struct {
	Provider string
	At       time.Time // zero for never
	Orphans  int
}

// Answer is what Polar said to one request.
type Answer struct {
	At              time.Time
	Operation, Code string
	Took            time.Duration
}

// answersKept is how many of Polar's answers are remembered.
const answersKept = 8

// Answers remembers Polar's last ones. The zero value is ready.
type Answers struct {
	mutex sync.Mutex
	last  []Answer
}

// Add remembers one more.
func (a *Answers) Add(one Answer) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.last = append([]Answer{one}, a.last[:min(len(a.last), answersKept-1)]...)
}

// Last returns them, the newest first.
func (a *Answers) Last() []Answer {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return slices.Clone(a.last)
}

// lateAfter is after how long a waiting deletion is late: the alert says so too.
const lateAfter = time.Hour

// heldShown is how many of the held ones the overview shows, the oldest first.
const heldShown = 5

// overview is the first page.
type overview struct {
	// Findings are what is wrong, the worst first, Calm what there is to say when
	// nothing is.
	Findings []finding

	Held               []heldCount
	HeldCount, Waiting int
	Reappeared         int
	OldestHeld         []queue.Record
	OldestWaiting      time.Time
	Late               bool
	Ended              map[string]int // by outcome
	Chart              chart
	Pause              queue.Pause
	Status             Status
	Providers          []received
	LastReceivedAmong  int
}

// finding is one thing that is wrong, and where to go.
type finding struct {
	Bad  bool // else it only wants somebody
	Text string
	Link string
}

type heldCount struct {
	Reason deletion.HoldReason
	Count  int
}

// received is when something last told of a deletion.
type received struct {
	Provider string
	Source   deletion.Source
	At       time.Time // zero for not lately
}

func (c *console) overview(v *visit) error {
	o, err := c.look(v.Context())
	if err != nil {
		return err
	}
	return c.render(v, http.StatusOK, "overview", "Overview", o)
}

func (c *console) look(ctx context.Context) (*overview, error) {
	now := c.options.Now()
	o := &overview{Ended: map[string]int{}, LastReceivedAmong: ops.LastReceivedAmong}
	depth, err := c.options.Depth(ctx)
	if err != nil {
		return nil, err
	}
	o.count(depth, now)
	if o.Status, err = c.options.Status(ctx); err != nil {
		return nil, err
	}
	if o.Pause, err = c.options.Operator.Paused(ctx); err != nil {
		return nil, err
	}
	since := now.Add(-(chartHours - 1) * time.Hour).Truncate(time.Hour)
	ended, err := c.options.Operator.EndedByHour(ctx, since)
	if err != nil {
		return nil, err
	}
	for _, e := range ended {
		o.Ended[string(e.Outcome)] += e.Count
	}
	o.Chart = draw(ended, since)
	for r, err := range c.options.Operator.List(ctx, ops.Filter{State: deletion.StateHeld, Oldest: true, Limit: heldShown}) {
		if err != nil {
			return nil, err
		}
		o.OldestHeld = append(o.OldestHeld, r)
	}
	if o.Providers, err = c.lastReceived(ctx); err != nil {
		return nil, err
	}
	o.find(c.moment)
	return o, nil
}

func (o *overview) count(depth queue.Depth, now time.Time) {
	for _, reason := range slices.Sorted(maps.Keys(depth.Held)) {
		o.Held = append(o.Held, heldCount{reason, depth.Held[reason]})
	}
	slices.SortStableFunc(o.Held, func(a, b heldCount) int { return cmp.Compare(b.Count, a.Count) })
	o.HeldCount, o.Waiting = depth.Pending[deletion.StateHeld], depth.Pending[deletion.StateWaiting]
	o.Reappeared, o.OldestWaiting = depth.Pending[deletion.StateReappeared], depth.OldestWaiting
	o.Late = !o.OldestWaiting.IsZero() && now.Sub(o.OldestWaiting) > lateAfter
}

// lastReceived is when the last deletion came from each provider that has a route, and
// from whatever else told of one lately.
func (c *console) lastReceived(ctx context.Context) ([]received, error) {
	last, err := c.options.Operator.LastReceived(ctx)
	if err != nil {
		return nil, err
	}
	var all []received
	for _, l := range last {
		all = append(all, received(l))
	}
	for _, name := range c.options.Checks.Enabled {
		if !slices.ContainsFunc(all, func(r received) bool { return r.Provider == name && r.Source == deletion.SourceWebhook }) {
			all = append(all, received{Provider: name, Source: deletion.SourceWebhook})
		}
	}
	return all, nil
}

// find says what is wrong: lost or in danger first, then late, then what wants somebody.
func (o *overview) find(when func(time.Time) moment) {
	add := func(is, bad bool, link, format string, args ...any) {
		if is {
			o.Findings = append(o.Findings, finding{bad, fmt.Sprintf(format, args...), link})
		}
	}
	add(o.Status.Damaged, true, "", "The database is damaged: its integrity check failed. Stop the server and restore a backup.")
	add(o.Status.OtherOrganization, true, "", "Nothing is sent: the database belongs to another Polar organization than POLAR_ACCESS_TOKEN.")
	add(o.Pause.Paused, true, "/ui/pause", "Nothing is sent: %s paused all deletions %s.", cmp.Or(ops.Visible(o.Pause.By), "somebody"), when(o.Pause.Since).Ago)
	add(o.Status.Paused != "", true, "", "%s", pauses(o.Status.Paused))
	add(o.Late, true, "/ui/deletions?state=waiting&order=oldest", "Deletions are late: the oldest was due %s.", when(o.OldestWaiting).Ago)
	add(o.HeldCount > 0, false, "/ui/deletions?state=held&order=oldest", "%s for somebody to decide.", waits(o.HeldCount))
	add(o.Reappeared > 0, false, "/ui/deletions?state=reappeared", "%s deleted, and found again or still charged.", ops.Plural(o.Reappeared, "customer"))
	add(o.Status.Customers.Lost > o.Status.Customers.Present, false, "", "Most customers at Polar cannot be found by a deletion: polar-bridge doctor says what to do.")
	for _, r := range o.Status.Reconciled {
		add(r.Orphans > 0, false, "", "%s at Polar whose user is gone at %s: look at them with polar-bridge reconcile.", ops.Plural(r.Orphans, "customer"), r.Provider)
	}
}

func waits(n int) string {
	if n == 1 {
		return "1 deletion waits"
	}
	return ops.Plural(n, "deletion") + " wait"
}

// pauses says why Polar is not called.
func pauses(reason deletion.WaitReason) string {
	switch reason { //nolint:exhaustive // the others are about one deletion
	case deletion.WaitRateLimited:
		return "Polar asks to wait (429): all calls are paused, and go on by themselves."
	case deletion.WaitUnauthorized:
		return "Polar refuses the token: all calls are paused until POLAR_ACCESS_TOKEN is right."
	case deletion.WaitUnexpected:
		return "Polar answers everything oddly: all calls are paused, and one is tried at a time."
	case deletion.WaitOutage:
		return "Polar has failed several times in a row: one call is tried at a time."
	}
	return "Polar is not called: " + string(reason) + "."
}
