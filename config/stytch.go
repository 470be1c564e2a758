package config

// Stytch is the provider Stytch.
type Stytch struct {
	// WebhookSecret enables the provider.
	WebhookSecret *SecretSource `kong:"-" secret:"STYTCH_WEBHOOK_SECRET" help:"Enables /webhooks/stytch."`
}

func (s *Stytch) load(l *Loader) {
	s.WebhookSecret = l.webhookSecret("STYTCH_WEBHOOK_SECRET", listed)
}

func (s *Stytch) enabledBy() []string { return []string{"STYTCH_WEBHOOK_SECRET"} }

func (s *Stytch) enabled() bool { return s.WebhookSecret.IsSet() }

func (s *Stytch) secrets() []*SecretSource { return []*SecretSource{s.WebhookSecret} }
