package console

import (
	"maps"
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

// filterForm is what a list chooses: as it stands in the address, without the page, and
// as it is understood.
type filterForm struct {
	url.Values

	filter ops.Filter
}

// filterParts are the address's parts, each with what it is called for people.
func filterParts() [][2]string {
	return [][2]string{
		{"state", "state"},
		{"reason", "held as"},
		{"outcome", "outcome"},
		{"provider", "provider"},
		{"q", "id"},
		{"from", "received since"},
		{"to", "received before"},
		{"order", "order"},
	}
}

// readFilter reads it. A word that is none of its set would find nothing, which looks
// like good news.
func (c *console) readFilter(query url.Values) (form filterForm, err error) {
	form.Values = url.Values{}
	for _, part := range filterParts() {
		if value := strings.TrimSpace(query.Get(part[0])); value != "" {
			form.Set(part[0], value)
		}
	}
	f := &form.filter
	*f = ops.Filter{
		State: deletion.State(form.Get("state")), Reason: deletion.HoldReason(form.Get("reason")), Outcome: deletion.Outcome(form.Get("outcome")),
		Provider: form.Get("provider"), AnyID: form.Get("q"), Oldest: form.Get("order") == "oldest",
	}
	switch {
	case f.State != "" && !slices.Contains(deletion.States(), f.State):
		return form, invalid("There is no state %q.", f.State)
	case f.Reason != "" && !slices.Contains(deletion.HoldReasons(), f.Reason):
		return form, invalid("Nothing is ever held as %q.", f.Reason)
	case f.Outcome != "" && !slices.Contains(deletion.Outcomes(), f.Outcome):
		return form, invalid("There is no outcome %q.", f.Outcome)
	case f.Provider != "" && !slices.Contains(c.options.Checks.Providers, f.Provider):
		return form, invalid("There is no provider %q.", f.Provider)
	case f.Reason != "" && f.State != "" && f.State != deletion.StateHeld:
		return form, invalid("Only held deletions have a reason: choose the state held, or any.")
	}
	if f.Since, err = readTime(form.Get("from")); err != nil {
		return form, err
	}
	if f.Until, err = readTime(form.Get("to")); err != nil {
		return form, err
	}
	if after := query.Get("after"); after != "" {
		if f.After, err = strconv.ParseInt(after, 10, 64); err != nil {
			return form, invalid("%q is no deletion.", after)
		}
	}
	return form, nil
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

// String is the filter in words.
func (f filterForm) String() string {
	var words []string
	for _, part := range filterParts() {
		if value := f.Get(part[0]); value != "" && part[0] != "order" {
			words = append(words, part[1]+" "+value)
		}
	}
	return strings.Join(words, ", ")
}

// listing is a page of a list.
type listing struct {
	Filter  filterForm
	Records []queue.Record
	// Next is the address of the page that follows, "" when there is none.
	Next  string
	First bool
}

func (c *console) list(v *visit) error {
	form, err := c.readFilter(v.URL.Query())
	if err != nil {
		return err
	}
	l := listing{Filter: form, First: form.filter.After == 0}
	filter := form.filter
	filter.Limit = pageSize + 1 // to know whether there are more
	for r, err := range c.options.Operator.List(v.Context(), filter) {
		if err != nil {
			return err
		}
		if len(l.Records) == pageSize {
			next := maps.Clone(form.Values)
			next.Set("after", strconv.FormatInt(l.Records[pageSize-1].ID, 10))
			l.Next = listPath + next.Encode()
			break
		}
		l.Records = append(l.Records, r)
	}
	return c.render(v, http.StatusOK, "list", "Deletions", l)
}
