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
		"when": c.moment, "visible": ops.Visible, "plural": ops.Plural, "who": c.who, "searched": ops.Searched, "meaning": meaning, "standing": standing, "id": c.options.ShowID,
		"customerURL": c.customerURL,
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
	if d < 0 {
		if d > -time.Second {
			return "now"
		}
		return "in " + span(-d)
	}
	if d < time.Second {
		return "now"
	}
	return span(d) + " ago"
}

// span is a duration in the largest unit of which there are two, or in seconds.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= 2*unit.length {
			return ops.Plural(int(d/unit.length), unit.name)
		}
	}
	return ops.Plural(int(d/time.Second), "second")
}

// who is whom a deletion is about.
func (c *console) who(r queue.Record) string {
	switch {
	case r.Forgotten:
		return "(forgotten)"
	case r.UnusableID != "":
		return "unusable: " + ops.Visible(c.options.ShowID(r.UnusableID))
	}
	return ops.Visible(c.options.ShowID(r.ExternalID))
}

// meaning says why somebody has to decide.
func meaning(reason deletion.HoldReason) string {
	switch reason {
	case deletion.HoldUnusableID:
		return "The event is genuine, but its id cannot name a customer."
	case deletion.HoldUnaddressable:
		return "Polar's API cannot address this id."
	case deletion.HoldRejected:
		return "Polar refused the request itself."
	case deletion.HoldUnexpected:
		return "Polar answered oddly to this one only."
	case deletion.HoldExhausted:
		return "It has failed for too long."
	case deletion.HoldForbidden:
		return "Polar, or a proxy before it, forbids this one."
	case deletion.HoldTeam:
		return "The customer is a team: its subscription is many people's."
	case deletion.HoldRecreated:
		return "The customer was created after the user was deleted."
	case deletion.HoldMassDeletion:
		return "More were deleted within an hour than MAX_DELETIONS_PER_HOUR."
	case deletion.HoldUserExists:
		return "The user still exists at the identity provider, or may."
	case deletion.HoldOtherInstance:
		return "It came from an instance of the provider that cannot be asked."
	case deletion.HoldFoundByMetadata:
		return "Polar has no such external id, but a customer who names the user in POLAR_METADATA_KEY."
	case deletion.HoldAmbiguousMetadata:
		return "Several customers at Polar name the user in POLAR_METADATA_KEY."
	case deletion.HoldConflict:
		return "A repeat of the event names another user."
	}
	return ""
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
