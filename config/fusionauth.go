package config

// FusionAuth is the provider FusionAuth, which signs either with a secret or with
// keys that it publishes.
type FusionAuth struct {
	// WebhookKey is the HMAC key.
	WebhookKey *SecretSource `kong:"-" secret:"FUSIONAUTH_WEBHOOK_KEY" help:"Enables /webhooks/fusionauth, for webhooks signed with HMAC."`
	// JWKSURL is where the public keys are.
	JWKSURL string `name:"fusionauth-jwks-url" env:"FUSIONAUTH_JWKS_URL" type:"setting" placeholder:"URL" help:"Take FusionAuth's webhooks, signed with the keys of this address, such as https://auth.example.com/.well-known/jwks.json: https, or http on loopback. Not with an HMAC key."`
}

func (f *FusionAuth) load(l *Loader) {
	f.WebhookKey = l.webhookSecret("FUSIONAUTH_WEBHOOK_KEY", lines)
	if f.JWKSURL == "" {
		return
	}
	checkIssuer(l, "FUSIONAUTH_JWKS_URL", f.JWKSURL)
	l.require(!f.WebhookKey.IsSet(), "FUSIONAUTH_JWKS_URL", "and FUSIONAUTH_WEBHOOK_KEY are both set; FusionAuth signs a webhook with one key only")
}

func (f *FusionAuth) enabledBy() []string {
	return []string{"FUSIONAUTH_WEBHOOK_KEY", "FUSIONAUTH_JWKS_URL"}
}

func (f *FusionAuth) enabled() bool { return f.WebhookKey.IsSet() || f.JWKSURL != "" }

func (f *FusionAuth) secrets() []*SecretSource { return []*SecretSource{f.WebhookKey} }
