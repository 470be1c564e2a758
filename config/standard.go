package config

import "strings"

// Standard is any sender of Standard Webhooks.
type Standard struct {
	// WebhookSecret enables the provider.
	WebhookSecret *SecretSource `kong:"-" secret:"STANDARD_WEBHOOK_SECRET" help:"Enables /webhooks/standard (any sender of Standard Webhooks)."`
	// EventTypes is a list; see Types.
	EventTypes string `name:"standard-event-types" env:"STANDARD_EVENT_TYPES" type:"setting" default:"user.deleted" placeholder:"TYPES" help:"Event types that mean a user's deletion, separated by commas."`
	// TypeField is a JSON pointer to the event's type.
	TypeField string `name:"standard-type-field" env:"STANDARD_TYPE_FIELD" type:"setting" default:"/type" placeholder:"POINTER" help:"JSON pointer to the event's type."`
	// IDField is a JSON pointer to Polar's external id.
	IDField string `name:"standard-id-field" env:"STANDARD_ID_FIELD" type:"setting" default:"/data/id" placeholder:"POINTER" help:"JSON pointer to Polar's external id. Users must not be able to change what stands there."`
}

// Types returns the types in EventTypes, none when nothing was loaded.
func (s *Standard) Types() []string { return list(s.EventTypes) }

func (s *Standard) load(l *Loader) {
	s.WebhookSecret = l.webhookSecret("STANDARD_WEBHOOK_SECRET", listed)
	for _, name := range s.Types() {
		l.require(name != "" && visible(name), "STANDARD_EVENT_TYPES", "must be event types such as user.deleted, separated by commas")
	}
	l.require(wholePointer(s.TypeField), "STANDARD_TYPE_FIELD", "must be a JSON pointer such as /type")
	l.require(wholePointer(s.IDField), "STANDARD_ID_FIELD", "must be a JSON pointer such as /data/id")
	l.require(!within(s.TypeField, s.IDField) && !within(s.IDField, s.TypeField), "STANDARD_ID_FIELD", "must not overlap with STANDARD_TYPE_FIELD")
}

func (s *Standard) enabledBy() []string { return []string{"STANDARD_WEBHOOK_SECRET"} }

func (s *Standard) enabled() bool { return s.WebhookSecret.IsSet() }

func (s *Standard) secrets() []*SecretSource { return []*SecretSource{s.WebhookSecret} }

// wholePointer reports whether text is a JSON pointer to a member.
func wholePointer(text string) bool {
	rest, found := strings.CutPrefix(text, "/")
	return found && pointer(rest)
}

// within reports whether a pointer is another one or points inside of its value.
func within(text, outer string) bool { return strings.HasPrefix(text+"/", outer+"/") }
