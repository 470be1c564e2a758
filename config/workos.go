package config

// WorkOS is the provider WorkOS.
type WorkOS struct {
	// WebhookSecret enables the provider.
	WebhookSecret *SecretSource `kong:"-" secret:"WORKOS_WEBHOOK_SECRET" help:"Enables /webhooks/workos."`
	// IDField is id or external_id.
	IDField string `name:"workos-id-field" env:"WORKOS_ID_FIELD" type:"setting" default:"id" placeholder:"FIELD" help:"The WorkOS user's field that is Polar's external id: id or external_id."`
	// DirectorySync says that directory users count as well.
	DirectorySync bool `name:"workos-directory-sync" env:"WORKOS_DIRECTORY_SYNC" type:"setting" default:"false" help:"Also delete the customers whose external id is the id of a deleted directory user of WorkOS."`
}

func (w *WorkOS) load(l *Loader) {
	w.WebhookSecret = l.webhookSecret("WORKOS_WEBHOOK_SECRET", listed)
	l.oneOf("WORKOS_ID_FIELD", w.IDField, "id", "external_id")
	l.require(!w.DirectorySync || w.IDField != "external_id", "WORKOS_DIRECTORY_SYNC",
		"needs WORKOS_ID_FIELD=id, because directory users have no external id")
}

func (w *WorkOS) enabledBy() []string { return []string{"WORKOS_WEBHOOK_SECRET"} }

func (w *WorkOS) enabled() bool { return w.WebhookSecret.IsSet() }

func (w *WorkOS) secrets() []*SecretSource { return []*SecretSource{w.WebhookSecret} }
