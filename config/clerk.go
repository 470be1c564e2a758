package config

import "regexp"

// clerkUserID is the field with Clerk's own id.
const clerkUserID = "id"

// Clerk is the provider Clerk.
type Clerk struct {
	// SigningSecret enables the provider.
	SigningSecret *SecretSource `kong:"-" secret:"CLERK_WEBHOOK_SIGNING_SECRET" help:"Enables /webhooks/clerk."`
	// IDField is id or external_id.
	IDField string `name:"clerk-id-field" env:"CLERK_ID_FIELD" type:"setting" default:"id" placeholder:"FIELD" help:"The user's field that is Polar's external id: id or external_id."`
	// InstanceID is a list; see Instances.
	InstanceID string `name:"clerk-instance-id" env:"CLERK_INSTANCE_ID" type:"setting" placeholder:"IDS" help:"Ids of Clerk instances (ins_…), separated by commas: events of any other are ignored, and the Backend API's key must be of one of them."`
}

func (c *Clerk) load(l *Loader) {
	c.SigningSecret = l.webhookSecret("CLERK_WEBHOOK_SIGNING_SECRET", listed)
	l.oneOf("CLERK_ID_FIELD", c.IDField, clerkUserID, "external_id")
	l.requireEach("CLERK_INSTANCE_ID", c.InstanceID, regexp.MustCompile(`^ins_[0-9A-Za-z]+$`),
		"must be ids of Clerk instances such as ins_2g7np7Hrk0SN6kj5EDMLDaKNL0S, separated by commas")
}

// Instances returns the ids in InstanceID, none for all instances.
func (c *Clerk) Instances() []string { return list(c.InstanceID) }

func (c *Clerk) enabledBy() []string { return []string{"CLERK_WEBHOOK_SIGNING_SECRET"} }

func (c *Clerk) enabled() bool { return c.SigningSecret.IsSet() }

func (c *Clerk) secrets() []*SecretSource { return []*SecretSource{c.SigningSecret} }
