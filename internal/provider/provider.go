// Package provider knows the identity providers whose webhooks are understood: one
// file for each, with its settings and its Spec. What is common to all stands in
// the files around them, and a provider's file uses nothing of another's.
//
// It must not know HTTP routes, the queue or what becomes of a deletion.
package provider

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
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

// Spec is one identity provider: what operators are told about it, what they set, how
// its deliveries authenticate and what they say.
type Spec struct {
	// Name is the route's name, for example "clerk". The file is called after it.
	Name  string
	Title string // the name for people
	Docs  string // the address of the provider's own documentation
	// EnabledBy is the setting that enables the provider: its secret, or the address
	// of the keys that it publishes.
	EnabledBy string
	SignedID  bool // the event's id is covered by a signature
	// Timestamped says that old requests are refused, so that a captured one
	// cannot be repeated for ever.
	Timestamped bool
	// IDsReusable says that the provider may give a deleted user's id to
	// another user later.
	IDsReusable bool

	// IDForm returns the regular expression of Polar's external ids as the settings
	// map them, "" when they may be anything; nil always says so.
	IDForm func() string

	// Settings points to the struct of the provider's settings, tagged as package
	// config wants it.
	Settings any
	// Secret points to the field of the secret that EnabledBy names; nil when that
	// is an address.
	Secret **config.SecretSource
	// SplitSecret tells the values of the secret apart: config.Listed when they
	// cannot contain a comma, else config.Lines.
	SplitSecret func(text string) []string
	// Check notes what is wrong with the other settings; nil for nothing.
	Check     func(l *config.Loader)
	Misplaced []config.MisplacedKey // keys that operators put in the secret's place by mistake
	// KeysURLEnv is the setting with the address at which the provider publishes the
	// keys that it signs with, "" when it has none; KeysURL returns its value, and
	// Published verifies with these keys.
	KeysURLEnv string
	KeysURL    func() string
	Published  *signature.JWT
	// CheckReconcile reports why Polar's customers cannot be compared with the
	// provider's users, as a sentence for people; nil when they never can.
	CheckReconcile func() error

	Scheme  Scheme // authenticates deliveries
	MaxBody int64  // bounds the body, in bytes; All makes MaxEvent of 0
	// Read decodes what a message says, strictly. Its errors are of kind
	// fault.Malformed or, when it is genuine but no event, fault.Unauthenticated.
	Read             func(m Message) (deletion.Delivery, error)
	AcknowledgeEmpty bool // the provider wants 200 and no body for an answer
	// Challenge answers the GET by which the provider asks whether the route is its
	// receiver's; nil for none.
	Challenge func(h http.Header) (body []byte, err error)
	// Event returns a deletion as the provider would send it, for the JSON encoder.
	Event func(s Sample) any

	now     func() time.Time
	gateway *signature.Hookdeck // see Registry.Gateway
}

// Scheme is a way to authenticate. Package signature has them.
type Scheme interface {
	// SetKeys makes the keys of these values count and no others, or changes
	// nothing. The error follows a setting's name and never shows a value.
	SetKeys(values []string) error
	// CheckKey is SetKeys' error for a value, and sets nothing.
	CheckKey(value string) error
	// HasKeys reports whether any key counts.
	HasKeys() bool
	// CheckHeader refuses what can be refused before the body is read.
	CheckHeader(h http.Header) error
	// Verify authenticates the raw bytes. Its errors are of kind
	// fault.Unauthenticated, or fault.Unavailable when keys have to be fetched and
	// cannot be.
	Verify(h http.Header, body []byte) (signature.Message, error)
	// Sign returns the request that says the payload, by who has the secret.
	Sign(secret, id string, at time.Time, payload []byte) (http.Header, []byte, error)
}

// Sample is what a realistic delivery is made from, for the send and demo commands
// and for tests. The rest is as the settings say.
type Sample struct {
	ExternalID string    // the id whose customer is to be deleted
	EventID    string    // identifies the event
	Time       time.Time // when it happened and, where there is one, the time signed
	// Anonymous leaves out the instance or tenant that no setting names: a made-up
	// one has the deletion held where the provider can be asked.
	Anonymous bool
}

// Enabled reports whether the provider's setting is set.
func (s *Spec) Enabled() bool { return s.Scheme.HasKeys() }

// Secrets are the values of the provider's secret.
func (s *Spec) Secrets() []string {
	if s.Secret == nil {
		return nil
	}
	return (*s.Secret).Values()
}

// CheckKeys reports why the keys that the provider publishes cannot be fetched.
func (s *Spec) CheckKeys() error {
	if s.Published == nil {
		return nil
	}
	return s.Published.CheckKeys()
}

// Sample returns a delivery as the provider would send it, signed with secret.
func (s *Spec) Sample(secret string, sample Sample) (http.Header, []byte, error) {
	payload, err := json.Marshal(s.Event(sample), json.Deterministic(true))
	if err != nil {
		return nil, nil, err
	}
	return s.Scheme.Sign(secret, sample.EventID, sample.Time, payload)
}

// Receive authenticates the raw bytes, then decodes them strictly. Its errors are of
// kind fault.Unauthenticated or fault.Malformed, or fault.Unavailable when keys have
// to be fetched and cannot be.
func (s *Spec) Receive(h http.Header, body []byte) (deletion.Delivery, error) {
	m, gateway, err := s.verify(h, body)
	if err != nil {
		return deletion.Delivery{}, err
	}
	received := s.now().UTC()
	latest := received
	if gateway == deletion.GatewayNeeded {
		latest = m.SignedAt.UTC()
	}
	delivery, err := s.Read(Message{m, s.Name, received, latest})
	if err == nil {
		delivery.Gateway = gateway
		s.markSelftests(h, &delivery)
	}
	return delivery, err
}
