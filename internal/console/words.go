package console

import (
	"fmt"
	"html/template"
	"net/url"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// parse reads the templates, a page each in the frame.
func (c *console) parse() error {
	functions := template.FuncMap{
		"when": c.moment, "visible": ops.Visible, "plural": ops.Plural, "who": c.who, "searched": ops.Searched, "past": ops.Past, "meaning": meaning, "standing": standing, "id": c.options.ShowID,
		"customerURL": c.customerURL, "states": deletion.States, "reasons": deletion.HoldReasons, "outcomes": deletion.Outcomes, "verbs": verbs,
		"providers": func() []string { return c.options.Checks.Providers },
	}
	c.templates = map[string]*template.Template{}
	for _, name := range []string{"login", "overview", "list", "detail", "question", "answered", "request", "pause", "message"} {
		parsed, err := template.New(name).Funcs(functions).ParseFS(files, "templates/frame.html", "templates/"+name+".html")
		if err != nil {
			return fmt.Errorf("parse the page %s: %w", name, err)
		}
		c.templates[name] = parsed
	}
	return nil
}

// customerURL is where Polar's dashboard shows the customer, "" when it is not known.
func (c *console) customerURL(id string) string {
	if c.options.CustomerURL == "" {
		return ""
	}
	return c.options.CustomerURL + url.PathEscape(id)
}

// moment is a time for people.
type moment struct {
	At  time.Time
	Ago string
}

// moment says how long ago it was, or how soon it will be.
func (c *console) moment(at time.Time) moment {
	return moment{at.UTC(), ago(c.options.Now().Sub(at))}
}

func ago(d time.Duration) string {
	switch {
	case d.Abs() < time.Second:
		return "now"
	case d < 0:
		return "in " + span(-d)
	}
	return span(d) + " ago"
}

// span is a duration in words.
func span(d time.Duration) string { return ops.Plural(ops.LargestUnit(d)) }

// who is whom a deletion is about.
func (c *console) who(r queue.Record) string {
	r.UnusableID, r.ExternalID = c.options.ShowID(r.UnusableID), c.options.ShowID(r.ExternalID)
	return ops.Who(r)
}

// meaning says why somebody has to decide.
func meaning(reason deletion.HoldReason) string {
	return map[deletion.HoldReason]string{
		deletion.HoldUnusableID:        "The event is genuine, but its id cannot name a customer.",
		deletion.HoldUnaddressable:     "Polar's API cannot address this id.",
		deletion.HoldRejected:          "Polar refused the request itself.",
		deletion.HoldUnexpected:        "Polar answered oddly to this one only.",
		deletion.HoldExhausted:         "It has failed for too long.",
		deletion.HoldForbidden:         "Polar, or a proxy before it, forbids this one.",
		deletion.HoldTeam:              "The customer is a team: its subscription is many people's.",
		deletion.HoldRecreated:         "The customer was created after the user was deleted.",
		deletion.HoldMassDeletion:      "More were deleted within an hour than MAX_DELETIONS_PER_HOUR.",
		deletion.HoldUserExists:        "The user still exists at the identity provider, or may.",
		deletion.HoldOtherInstance:     "It came from an instance of the provider that cannot be asked.",
		deletion.HoldFoundByMetadata:   "Polar has no such external id, but a customer who names the user in POLAR_METADATA_KEY.",
		deletion.HoldAmbiguousMetadata: "Several customers at Polar name the user in POLAR_METADATA_KEY.",
		deletion.HoldConflict:          "A repeat of the event names another user.",
	}[reason]
}

// standing says where a deletion stands, in a word or two beside its state.
func standing(r queue.Record) string {
	switch r.State {
	case deletion.StateHeld:
		return r.Remedy().Cause()
	case deletion.StateDone:
		return string(r.Outcome)
	case deletion.StateReappeared:
		if r.Verification == deletion.VerificationSubscriptionActive {
			return "subscription still active"
		}
		return "customer found again"
	case deletion.StateWaiting:
		switch {
		case r.Running:
			return "request on its way"
		case r.Failures > 0:
			return "failed " + ops.Plural(int(r.Failures), "time")
		}
	case deletion.StateCancelled:
	}
	return ""
}
