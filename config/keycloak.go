package config

import "regexp"

// Keycloak is the provider Keycloak with Phase Two's keycloak-events.
type Keycloak struct {
	// WebhookSecret enables the provider.
	WebhookSecret *SecretSource `kong:"-" secret:"KEYCLOAK_WEBHOOK_SECRET" help:"Enables /webhooks/keycloak (Phase Two's keycloak-events)."`
	// Realm is a list; see Realms.
	Realm string `name:"keycloak-realm" env:"KEYCLOAK_REALM" type:"setting" placeholder:"NAMES" help:"Names of Keycloak realms, separated by commas: events of any other are ignored."`
}

func (k *Keycloak) load(l *Loader) {
	k.WebhookSecret = l.webhookSecret("KEYCLOAK_WEBHOOK_SECRET", lines)
	// What a realm's name may not hold, a comma among it:
	// https://github.com/keycloak/keycloak/blob/main/services/src/main/java/org/keycloak/utils/ReservedCharValidator.java
	l.requireEach("KEYCLOAK_REALM", k.Realm, regexp.MustCompile(`^[^:/?#@!$&()*+,;=\[\]\\[:cntrl:]]+$`),
		"must be names of realms as they stand in their addresses, /realms/NAME, separated by commas")
}

// Realms returns the names in Realm, none for all realms.
func (k *Keycloak) Realms() []string { return list(k.Realm) }

func (k *Keycloak) enabledBy() []string { return []string{"KEYCLOAK_WEBHOOK_SECRET"} }

func (k *Keycloak) enabled() bool { return k.WebhookSecret.IsSet() }

func (k *Keycloak) secrets() []*SecretSource { return []*SecretSource{k.WebhookSecret} }
