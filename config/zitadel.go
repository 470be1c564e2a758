package config

import "strings"

// ZITADEL is the provider ZITADEL.
type ZITADEL struct {
	// WebhookSecret enables the provider.
	WebhookSecret *SecretSource `kong:"-" secret:"ZITADEL_WEBHOOK_SECRET" help:"Enables /webhooks/zitadel (Actions v2)."`
	// EventTypes is a list; see Types.
	EventTypes string `name:"zitadel-event-types" env:"ZITADEL_EVENT_TYPES" type:"setting" default:"user.removed" placeholder:"NAMES" help:"Names of the ZITADEL events that mean a user's deletion, separated by commas."`
}

// Types returns the names in EventTypes, none when nothing was loaded.
func (z *ZITADEL) Types() []string { return list(z.EventTypes) }

func (z *ZITADEL) load(l *Loader) {
	z.WebhookSecret = l.webhookSecret("ZITADEL_WEBHOOK_SECRET", listed)
	for _, name := range z.Types() {
		l.require(zitadelEvent(name), "ZITADEL_EVENT_TYPES",
			"must be names of user events such as user.removed, separated by commas")
	}
}

func (z *ZITADEL) enabledBy() []string { return []string{"ZITADEL_WEBHOOK_SECRET"} }

func (z *ZITADEL) enabled() bool { return z.WebhookSecret.IsSet() }

func (z *ZITADEL) secrets() []*SecretSource { return []*SecretSource{z.WebhookSecret} }

// zitadelEvent takes whole names only: a wildcard that ZITADEL understands would
// not do here what one expects, and an event of another aggregate is no user's.
func zitadelEvent(name string) bool {
	rest, ok := strings.CutPrefix(name, "user.")
	return ok && rest != "" && !strings.ContainsFunc(rest, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '_'
	})
}
