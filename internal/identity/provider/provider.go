// Package provider holds what all identity providers share: what a provider
// is, what it is set up with, and what a sample delivery is made from.
//
// It must not know any provider; the registry in package identity does.
package provider

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Limits of bodies, in bytes.
const (
	// MaxEvent is for a single event. A deletion has less than 2 KB, and this is
	// what anybody may send before a signature over the body can be judged.
	MaxEvent = 64 << 10
	// MaxProfile is for a single event that holds the user's whole profile, with
	// metadata of the application's, such as a picture. Like MaxBatch it is only
	// for providers whose header alone says whether the sender is known.
	MaxProfile = 1 << 20
	// MaxBatch is for a batch of log entries. It is only for providers whose
	// header alone says whether the sender is known.
	MaxBatch = 8 << 20
)

// Provider authenticates and reads the webhook deliveries of one identity
// provider.
type Provider interface {
	// Name is the route's name, for example "clerk".
	Name() string
	// MaxBody bounds the body, in bytes.
	MaxBody() int64
	// CheckHeader judges what can be judged before the body is read. Its
	// errors are of the same kinds as those of Receive.
	CheckHeader(h http.Header) error
	// Receive authenticates the raw bytes, then decodes them strictly. Its
	// errors are of kind fault.Unauthenticated or fault.Malformed, or
	// fault.Unavailable when keys have to be fetched and cannot be.
	Receive(h http.Header, body []byte) (event.Delivery, error)
}

// Settings set one provider up. A provider uses those that it has a use for.
type Settings struct {
	// Secrets are the signing secrets or tokens.
	Secrets signature.Secrets
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// IDField says which id of the event is Polar's external id; empty for
	// the provider's default.
	IDField string
	// Sources are the instances, streams or realms whose events count; empty
	// for all.
	Sources []string
	// EventTypes are the types that mean a user's deletion; empty for the
	// provider's own.
	EventTypes []string
	// TypeField says where the event's type stands; empty for the provider's
	// default.
	TypeField string
	// DirectorySync says that deletions of directory users count as well.
	DirectorySync bool
	// PublicKeys says that Secrets are addresses at which the provider publishes
	// its keys, which nobody else can sign with.
	PublicKeys bool
	// Transport fetches those keys; nil for an own one.
	Transport http.RoundTripper
}

// Clock returns the clock that is set, or the real one.
func (s Settings) Clock() func() time.Time {
	if s.Now == nil {
		return time.Now //nolint:forbidigo // the default of what is passed on as a func
	}
	return s.Now
}

// EventTypesOr returns the types that mean a user's deletion, by default the
// provider's own.
func (s Settings) EventTypesOr(own string) []string {
	if len(s.EventTypes) == 0 {
		return []string{own}
	}
	return slices.Clone(s.EventTypes)
}

// The two ids of a user between which operators of Clerk and WorkOS may choose.
const (
	IDOwn      = "id"
	IDExternal = "external_id" // the one that the operator's application gave
)

// ChosenID returns which of them IDField chooses, by default IDOwn. env names
// the setting in errors.
func (s Settings) ChosenID(env string) (string, error) {
	switch s.IDField {
	case "":
		return IDOwn, nil
	case IDOwn, IDExternal:
		return s.IDField, nil
	}
	return "", fmt.Errorf("%s must be %q or %q", env, IDOwn, IDExternal)
}

// Info is what operators are told about a provider.
type Info struct {
	// Name is the route's name.
	Name string
	// Title is the name for people.
	Title string
	// SecretEnv is the environment variable with the secret.
	SecretEnv string
	// Docs is the address of the provider's own documentation.
	Docs string
	// SignedID says that the event's id is covered by a signature.
	SignedID bool
	// Timestamped says that old requests are refused, so that a captured one
	// cannot be repeated for ever.
	Timestamped bool
	// IDsReusable says that the provider may give a deleted user's id to
	// another user later.
	IDsReusable bool
}

// Sample is what a realistic delivery is made from, for the send and demo
// commands and for tests.
type Sample struct {
	// ExternalID is the id whose customer is to be deleted.
	ExternalID string
	// EventID identifies the event.
	EventID string
	// Time is when it happened and, where there is one, the time signed.
	Time time.Time
	// IDField is as the receiver's Settings have it.
	IDField string
	// Source is the instance or stream that the event claims to come from.
	Source string
	// Anonymous leaves out the instance or tenant that Source does not name: a
	// made-up one has the deletion held where the provider can be asked.
	Anonymous bool
	// EventType and TypeField are as in Settings.
	EventType string
	// TypeField is where the event's type stands.
	TypeField string
}
