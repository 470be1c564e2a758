package config

// Logto is the provider Logto.
type Logto struct {
	// WebhookSecret enables the provider.
	WebhookSecret *SecretSource `kong:"-" secret:"LOGTO_WEBHOOK_SECRET" help:"Enables /webhooks/logto."`
}

func (g *Logto) load(l *Loader) {
	g.WebhookSecret = l.webhookSecret("LOGTO_WEBHOOK_SECRET", listed)
}

func (g *Logto) enabledBy() []string { return []string{"LOGTO_WEBHOOK_SECRET"} }

func (g *Logto) enabled() bool { return g.WebhookSecret.IsSet() }

func (g *Logto) secrets() []*SecretSource { return []*SecretSource{g.WebhookSecret} }
