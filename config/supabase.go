package config

// Supabase is the provider Supabase.
type Supabase struct {
	// WebhookToken enables the provider.
	WebhookToken *SecretSource `kong:"-" secret:"SUPABASE_WEBHOOK_TOKEN" help:"Enables /webhooks/supabase (Database Webhooks)."`
}

func (s *Supabase) load(l *Loader) {
	s.WebhookToken = l.webhookSecret("SUPABASE_WEBHOOK_TOKEN", lines)
}

func (s *Supabase) enabledBy() []string { return []string{"SUPABASE_WEBHOOK_TOKEN"} }

func (s *Supabase) enabled() bool { return s.WebhookToken.IsSet() }

func (s *Supabase) secrets() []*SecretSource { return []*SecretSource{s.WebhookToken} }
