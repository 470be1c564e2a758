package config

// Okta is the provider Okta.
type Okta struct {
	// WebhookToken enables the provider.
	WebhookToken *SecretSource `kong:"-" secret:"OKTA_WEBHOOK_TOKEN" help:"Enables /webhooks/okta (event hooks)."`
}

func (o *Okta) load(l *Loader) {
	o.WebhookToken = l.webhookSecret("OKTA_WEBHOOK_TOKEN", lines)
}

func (o *Okta) enabledBy() []string { return []string{"OKTA_WEBHOOK_TOKEN"} }

func (o *Okta) enabled() bool { return o.WebhookToken.IsSet() }

func (o *Okta) secrets() []*SecretSource { return []*SecretSource{o.WebhookToken} }
