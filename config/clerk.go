package config

// clerkUserID is the field with Clerk's own id.
const clerkUserID = "id"

// Clerk is the provider Clerk.
type Clerk struct {
	// SigningSecret enables the provider.
	SigningSecret *SecretSource `kong:"-" secret:"CLERK_WEBHOOK_SIGNING_SECRET" help:"Enables /webhooks/clerk."`
	// IDField is id or external_id.
	IDField string `name:"clerk-id-field" env:"CLERK_ID_FIELD" type:"setting" default:"id" placeholder:"FIELD" help:"The user's field that is Polar's external id: id or external_id."`
	// InstanceID limits the events to one instance; empty for all.
	InstanceID string `name:"clerk-instance-id" env:"CLERK_INSTANCE_ID" type:"setting" placeholder:"ID" help:"Ignore events of any other Clerk instance."`
}

func (c *Clerk) load(l *Loader) {
	c.SigningSecret = l.secret("CLERK_WEBHOOK_SIGNING_SECRET", several(checkKey))
	l.oneOf("CLERK_ID_FIELD", c.IDField, clerkUserID, "external_id")
}

func (c *Clerk) enabledBy() []string { return []string{"CLERK_WEBHOOK_SIGNING_SECRET"} }

func (c *Clerk) enabled() bool { return c.SigningSecret.IsSet() }

func (c *Clerk) secrets() []*SecretSource { return []*SecretSource{c.SigningSecret} }
