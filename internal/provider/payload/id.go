package payload

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// maxEventID is the longest event id that is kept as it is, in bytes.
const maxEventID = 200

// ID is the raw JSON value of a user's id.
type ID struct {
	raw     jsontext.Value
	display string // what to show of an id that must not be used
}

// NewID returns the id with the raw value, nil for none.
func NewID(raw jsontext.Value) ID { return ID{raw: raw} }

// Unidentified returns an id that names no customer, for an event that does not tell
// whom it is about. display is what operators see instead.
func Unidentified(display string) ID { return ID{display: display} }

// ConsistentWith returns the id if the other place in which the event should have it
// names nobody else, and Unidentified otherwise: a human has to see what that is.
func (i ID) ConsistentWith(other jsontext.Value) ID {
	if id, second := i.Usable(), Text(other); id != "" && second != "" && id != second {
		return i.Untrusted()
	}
	return i
}

// Absent says that the id is not there or null.
func (i ID) Absent() bool { return len(i.raw) == 0 || i.raw.Kind() == jsontext.KindNull }

// Usable returns the id, or "" when it cannot name a customer.
func (i ID) Usable() string {
	text, _ := i.decode()
	return text
}

// Apply returns the deletion with the id as its external id or, when it cannot
// name a customer, with its quoted form.
func (i ID) Apply(d deletion.Deletion) deletion.Deletion {
	d.ExternalID, d.UnusableID = i.decode()
	return d
}

// Untrusted returns the id as one that names nobody, for an event that cannot be
// trusted to name it. It is shown as it would be otherwise.
func (i ID) Untrusted() ID {
	text, unusable := i.decode()
	if unusable != "" {
		return Unidentified(unusable)
	}
	return Unidentified(deletion.QuoteID(text))
}

// decode returns the id's text and, when that cannot name a customer, what to
// show instead. An integer is not formatted to a string: Polar's id is text,
// and 1e3 and 1000 are the same number.
func (i ID) decode() (text, unusable string) {
	switch {
	case i.display != "":
		return "", i.display
	case len(i.raw) == 0:
		return "", deletion.MissingID
	case i.raw.Kind() != jsontext.KindString:
		return "", deletion.QuoteID(string(i.raw))
	}
	unquoted, err := jsontext.AppendUnquote(nil, i.raw)
	if err != nil {
		// Invalid UTF-8, which unquoting replaces; show what was really sent.
		return "", deletion.QuoteID(string(i.raw[1 : len(i.raw)-1]))
	}
	if err := deletion.CheckExternalID(string(unquoted)); err != nil {
		return "", deletion.QuoteID(string(unquoted))
	}
	return string(unquoted), ""
}

// EventID returns the idempotency key of an event: its id, or a digest of the
// raw body or item when it has none. An id that is too long or not printable
// ASCII is replaced by its digest, so that it can be stored and shown anywhere.
func EventID(id string, raw []byte) string {
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	switch {
	case id == "":
		return digest(raw)
	case len(id) > maxEventID || strings.ContainsFunc(id, odd):
		return digest([]byte(id))
	}
	return id
}

// Text returns the text of a JSON string, or "" for anything else.
func Text(raw jsontext.Value) string {
	if raw.Kind() != jsontext.KindString {
		return ""
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return ""
	}
	return string(text)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
