package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// pageSize is how many deletions a page shows.
const pageSize = 50

const listPath = "/ui/deletions?"

// filterForm is what a list chooses, as it stands in the address.
type filterForm struct {
	State    deletion.State
	Reason   deletion.HoldReason
	Outcome  deletion.Outcome
	Provider string
	Query    string // any id
	From, To string // dates or times
	Order    string // "oldest" or ""

	after    int64
	from, to time.Time
}

// readFilter reads it. A word that is none of its set would find nothing, which looks
// like good news.
func (c *console) readFilter(query url.Values) (f filterForm, err error) {
	f = filterForm{
		State: deletion.State(query.Get("state")), Reason: deletion.HoldReason(query.Get("reason")), Outcome: deletion.Outcome(query.Get("outcome")),
		Provider: query.Get("provider"), Query: strings.TrimSpace(query.Get("q")), From: query.Get("from"), To: query.Get("to"), Order: query.Get("order"),
	}
	switch {
	case f.State != "" && !slices.Contains(deletion.States(), f.State):
		return f, invalid("There is no state %q.", f.State)
	case f.Reason != "" && !slices.Contains(deletion.HoldReasons(), f.Reason):
		return f, invalid("Nothing is ever held as %q.", f.Reason)
	case f.Outcome != "" && !slices.Contains(deletion.Outcomes(), f.Outcome):
		return f, invalid("There is no outcome %q.", f.Outcome)
	case f.Provider != "" && !slices.Contains(c.options.Checks.Providers, f.Provider):
		return f, invalid("There is no provider %q.", f.Provider)
	case f.Reason != "" && f.State != "" && f.State != deletion.StateHeld:
		return f, invalid("Only held deletions have a reason: choose the state held, or any.")
	}
	if f.from, err = readTime(f.From); err != nil {
		return f, err
	}
	if f.to, err = readTime(f.To); err != nil {
		return f, err
	}
	if after := query.Get("after"); after != "" {
		if f.after, err = strconv.ParseInt(after, 10, 64); err != nil {
			return f, invalid("%q is no deletion.", after)
		}
	}
	return f, nil
}

func readTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, invalid("%q is no date: write 2026-11-30, which is in UTC.", text)
}

func (f *filterForm) filter() ops.Filter {
	return ops.Filter{
		State: f.State, Reason: f.Reason, Outcome: f.Outcome, Provider: f.Provider, AnyID: f.Query, Since: f.from, Until: f.to,
		Oldest: f.Order == "oldest", After: f.after,
	}
}

// values are the parts of the address that are set, without the page.
func (f *filterForm) values() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{
		"state": string(f.State), "reason": string(f.Reason), "outcome": string(f.Outcome), "provider": f.Provider,
		"q": f.Query, "from": f.From, "to": f.To, "order": f.Order,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// Encoded is the address's query.
func (f *filterForm) Encoded() string { return f.values().Encode() }

// Path is the list's address.
func (f *filterForm) Path() string { return listPath + f.Encoded() }

// String is the filter in words.
func (f *filterForm) String() string {
	var words []string
	for _, part := range []struct{ name, value string }{
		{"state", string(f.State)},
		{"held as", string(f.Reason)},
		{"outcome", string(f.Outcome)},
		{"provider", f.Provider},
		{"id", f.Query},
		{"received since", f.From},
		{"received before", f.To},
	} {
		if part.value != "" {
			words = append(words, part.name+" "+part.value)
		}
	}
	return strings.Join(words, ", ")
}

// listing is a page of a list.
type listing struct {
	Filter  *filterForm
	Records []queue.Record
	// Next is the address of the page that follows, "" when there is none.
	Next  string
	First bool

	States    []deletion.State
	Reasons   []deletion.HoldReason
	Outcomes  []deletion.Outcome
	Providers []string
	Verbs     []deletion.Verb
}

func (c *console) list(v *visit) error {
	form, err := c.readFilter(v.URL.Query())
	if err != nil {
		return err
	}
	l := listing{
		Filter: &form, First: form.after == 0,
		States: deletion.States(), Reasons: deletion.HoldReasons(), Outcomes: deletion.Outcomes(), Providers: c.options.Checks.Providers, Verbs: verbs(),
	}
	filter := form.filter()
	filter.Limit = pageSize + 1 // to know whether there are more
	for r, err := range c.options.Operator.List(v.Context(), filter) {
		if err != nil {
			return err
		}
		if len(l.Records) == pageSize {
			next := form.values()
			next.Set("after", strconv.FormatInt(l.Records[pageSize-1].ID, 10))
			l.Next = listPath + next.Encode()
			break
		}
		l.Records = append(l.Records, r)
	}
	return c.render(v, http.StatusOK, "list", "Deletions", l)
}
