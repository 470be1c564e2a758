package config

// Keycloak is the provider Keycloak with Phase Two's keycloak-events.
type Keycloak struct {
	// WebhookSecret enables the provider.
	WebhookSecret *SecretSource `kong:"-" secret:"KEYCLOAK_WEBHOOK_SECRET" help:"Enables /webhooks/keycloak (Phase Two's keycloak-events)."`
	// Realm limits the events to one realm; empty for all.
	Realm string `name:"keycloak-realm" env:"KEYCLOAK_REALM" type:"setting" placeholder:"NAME" help:"Ignore events of any other Keycloak realm."`
}

func (k *Keycloak) load(l *Loader) {
	k.WebhookSecret = l.secret("KEYCLOAK_WEBHOOK_SECRET", several(checkTextKey))
}

func (k *Keycloak) enabledBy() []string { return []string{"KEYCLOAK_WEBHOOK_SECRET"} }

func (k *Keycloak) enabled() bool { return k.WebhookSecret.IsSet() }

func (k *Keycloak) secrets() []*SecretSource { return []*SecretSource{k.WebhookSecret} }
