package config

import (
	"regexp"
	"strings"
)

// Where Auth0's event may name the customer. What users can edit themselves,
// user_metadata above all, must never choose one.
const (
	auth0UserID      = "/data/object/user_id"
	auth0AppMetadata = "/data/object/app_metadata/"
)

// Auth0 is the provider Auth0 with its two ways of sending events.
type Auth0 struct {
	// WebhookToken enables Event Streams.
	WebhookToken *SecretSource `kong:"-" secret:"AUTH0_WEBHOOK_TOKEN" help:"Enables /webhooks/auth0 (Event Streams)."`
	// IDField is a JSON pointer into an Event Streams event.
	IDField string `name:"auth0-id-field" env:"AUTH0_ID_FIELD" type:"setting" default:"/data/object/user_id" placeholder:"POINTER" help:"JSON pointer to Polar's external id: the default, or one below /data/object/app_metadata."`
	// StreamID is a list; see Streams.
	StreamID string `name:"auth0-stream-id" env:"AUTH0_STREAM_ID" type:"setting" placeholder:"IDS" help:"Ids of Auth0 event streams (est_…), separated by commas: events of any other are ignored."`
	// LogsToken enables Log Streams.
	LogsToken *SecretSource `kong:"-" secret:"AUTH0_LOGS_TOKEN" help:"Enables /webhooks/auth0-logs (Log Streams); the whole Authorization header."`
	// LogsUnconfirmed accepts that Auth0 is not asked about a deletion.
	LogsUnconfirmed bool `name:"auth0-logs-unconfirmed" env:"AUTH0_LOGS_UNCONFIRMED" type:"setting" default:"false" help:"Accept deletions from Auth0's Log Streams although they are not confirmed at Auth0."`
}

func (a *Auth0) load(l *Loader) {
	a.WebhookToken = l.webhookSecret("AUTH0_WEBHOOK_TOKEN", lines)
	a.LogsToken = l.webhookSecret("AUTH0_LOGS_TOKEN", lines)
	below, found := strings.CutPrefix(a.IDField, auth0AppMetadata)
	l.require(a.IDField == auth0UserID || found && pointer(below), "AUTH0_ID_FIELD",
		"must be "+auth0UserID+" or a JSON pointer below "+auth0AppMetadata)
	l.requireEach("AUTH0_STREAM_ID", a.StreamID, regexp.MustCompile(`^est_[0-9A-Za-z]+$`),
		"must be ids of event streams such as est_vjFVP5pVdfvsfRKatshkVV, separated by commas")
}

// Streams returns the ids in StreamID, none for all streams.
func (a *Auth0) Streams() []string { return list(a.StreamID) }

func (a *Auth0) enabledBy() []string { return []string{"AUTH0_WEBHOOK_TOKEN", "AUTH0_LOGS_TOKEN"} }

func (a *Auth0) enabled() bool { return a.WebhookToken.IsSet() || a.LogsToken.IsSet() }

func (a *Auth0) secrets() []*SecretSource { return []*SecretSource{a.WebhookToken, a.LogsToken} }
