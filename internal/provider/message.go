package provider

import (
	"regexp"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Message is an authentic request that a provider has to understand.
type Message struct {
	signature.Message

	provider string
	received time.Time
	latest   time.Time // when it can have happened at the latest: received, or signed if a gateway has kept it
}

// deletion returns the deletion of the user with the id. The id is Polar's external
// id as well. occurred are the members in which the provider says when it happened;
// a nil one is absent.
func (m Message) deletion(eventID string, id payload.ID, occurred ...jsontext.Value) deletion.Deletion {
	return id.Apply(deletion.Deletion{
		Provider:   m.provider,
		EventID:    eventID,
		UserID:     id.Usable(),
		OccurredAt: payload.Occurred(m.latest, occurred...),
		ReceivedAt: m.received,
	})
}

// ignored returns a delivery of one event that is of no interest.
func ignored(eventID string, reason deletion.IgnoreReason) deletion.Delivery {
	return deletion.Delivery{EventID: eventID, Ignored: 1, IgnoreReason: reason}
}

// only returns a delivery of one deletion.
func only(d deletion.Deletion) deletion.Delivery {
	return deletion.Delivery{EventID: d.EventID, Deletions: []deletion.Deletion{d}}
}

// maxInvalid is how many unreadable items a delivery may have before it
// counts as broken as a whole: each of them takes a human.
const maxInvalid = 100

// batch gathers what the items of one delivery say. Each is judged alone: one
// that cannot be read must neither be lost nor take the others with it.
type batch struct {
	message  Message
	delivery deletion.Delivery
	invalid  int
}

func (b *batch) add(d deletion.Deletion) { b.delivery.Deletions = append(b.delivery.Deletions, d) }

// ignore counts an item of another type.
func (b *batch) ignore() {
	b.delivery.Ignored++
	b.delivery.IgnoreReason = deletion.IgnoreOtherType
}

// holdInvalid holds an item that is not JSON for a human. display stands for its
// id: its own text could be anybody's, so it is not kept. It fails when there
// are too many.
func (b *batch) holdInvalid(raw jsontext.Value, display string) error {
	if b.invalid++; b.invalid > maxInvalid {
		return b.tooManyInvalid()
	}
	b.add(b.message.deletion(payload.EventID("", raw), payload.Unidentified(display)))
	return nil
}

// tooManyInvalid returns the error of a delivery of which too little could be read.
func (b *batch) tooManyInvalid() error {
	return fault.New(fault.Malformed, fault.ReasonBadJSON, "%d items or more could not be read", b.invalid)
}

// at says which instance or tenant a deletion comes from.
func at(d deletion.Deletion, instance string) deletion.Deletion {
	if instance != "" {
		d.Instance = payload.EventID(instance, nil) // storable, whatever it is
	}
	return d
}

// elsewhere says whether a source is none of those whose events count; empty for all.
func elsewhere(counted []string, source string) bool {
	return len(counted) > 0 && !slices.Contains(counted, source)
}

// first returns the first of a list, "" of none.
func first(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// The two ids of a user between which operators may choose where a provider has both.
const (
	idOwn      = "id"
	idExternal = "external_id" // the one that the operator's application gave
)

// The events that deletions come by where a provider has both.
const (
	eventUser         = "user.deleted"
	eventOrganization = "organization.deleted"
)

// requireEvents notes a problem with a list of such events.
func requireEvents(l *config.Loader, name, text string) {
	l.RequireEach(name, text, regexp.MustCompile(`^(user|organization)\.deleted$`), "must be "+eventUser+", "+eventOrganization+" or both, separated by a comma")
}

// organization returns the deletion of an organization, whose id is Polar's external
// id.
func (m Message) organization(eventID string, id payload.ID, occurred jsontext.Value) deletion.Deletion {
	d := m.deletion(eventID, id, occurred)
	d.Object, d.UserID = deletion.ObjectOrganization, ""
	return d
}

// formUUID is the form of ids that are UUIDs.
const formUUID = `^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`

// formAuth0 is the form of Auth0's own ids: a strategy and the id there.
const formAuth0 = `^[0-9A-Za-z_-]+\|.`

// always returns what returns the form.
func always(form string) func() string { return func() string { return form } }

// usablePointer says whether the pointer is valid and leads to a member with names
// that have a text.
func usablePointer(p jsontext.Pointer) bool {
	tokens := slices.Collect(p.Tokens())
	return p.IsValid() && len(tokens) > 0 && !slices.Contains(tokens, "")
}
