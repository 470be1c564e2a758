package provider

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Where Auth0's event may name the customer. app_metadata is where a tenant may keep
// an id of its own. user_metadata is not allowed: users can edit it, and so could
// choose whose customer goes.
const (
	auth0UserID      = "/data/object/user_id"
	auth0AppMetadata = "/data/object/app_metadata/"
)

// Auth0 is the settings of Auth0's Event Streams and of its Management API.
type Auth0 struct {
	WebhookToken *config.SecretSource `kong:"-" secret:"AUTH0_WEBHOOK_TOKEN" help:"Enables /webhooks/auth0 (Event Streams)."`
	IDField      string               `name:"auth0-id-field" env:"AUTH0_ID_FIELD" type:"setting" default:"/data/object/user_id" placeholder:"POINTER" help:"JSON pointer to Polar's external id: the default, or one below /data/object/app_metadata."`
	StreamID     string               `name:"auth0-stream-id" env:"AUTH0_STREAM_ID" type:"setting" placeholder:"IDS" help:"Ids of Auth0 event streams (est_…), separated by commas: events of any other are ignored."`
	Domain       string               `name:"auth0-domain" env:"AUTH0_DOMAIN" type:"setting" placeholder:"DOMAIN" group:"Identity providers' APIs" help:"The tenant's own domain, such as example.eu.auth0.com; for tests http://127.0.0.1:PORT."`
	ClientID     string               `name:"auth0-client-id" env:"AUTH0_CLIENT_ID" type:"setting" placeholder:"ID" group:"Identity providers' APIs" help:"Client id of a machine-to-machine application with the scope read:users."`
	ClientSecret *config.SecretSource `kong:"-" secret:"AUTH0_CLIENT_SECRET" group:"Identity providers' APIs" help:"Client secret of that application: deletions are confirmed at Auth0."`
}

// auth0 reads the webhooks of Auth0 Event Streams. They carry a static token and no
// signature.
// https://auth0.com/docs/customize/events/create-an-event-stream
func auth0() *Spec {
	s := &Auth0{}
	return &Spec{
		Name:        "auth0",
		Title:       "Auth0 Event Streams",
		Docs:        "https://auth0.com/docs/customize/events/create-an-event-stream",
		EnabledBy:   "AUTH0_WEBHOOK_TOKEN",
		IDsReusable: true, // imported and custom-database ids are the tenant's choice
		IDForm:      s.idForm,

		Settings:       s,
		Secret:         &s.WebhookToken,
		SplitSecret:    config.Lines,
		Check:          s.check,
		CheckReconcile: s.checkReconcile,

		Scheme:  signature.NewToken(signature.Bearer()),
		MaxBody: MaxProfile,
		Read:    s.read,
		Event:   s.event,
	}
}

// idForm is that of Auth0's own ids; an id of the application's may be anything.
func (s *Auth0) idForm() string {
	if s.IDField != auth0UserID {
		return ""
	}
	return formAuth0
}

func (s *Auth0) check(l *config.Loader) {
	s.ClientSecret = l.Secret("AUTH0_CLIENT_SECRET", config.One(config.CheckToken))
	below := strings.HasPrefix(s.IDField, auth0AppMetadata) && usablePointer(jsontext.Pointer(s.IDField))
	l.RequireValue(s.IDField == auth0UserID || below, "AUTH0_ID_FIELD", "must be "+auth0UserID+" or a JSON pointer below "+auth0AppMetadata)
	l.RequireEach("AUTH0_STREAM_ID", s.StreamID, regexp.MustCompile(`^est_[0-9A-Za-z]+$`),
		"must be ids of event streams such as est_vjFVP5pVdfvsfRKatshkVV, separated by commas")
	if s.Domain != "" {
		l.RequireAddress("AUTH0_DOMAIN", s.APIURL())
	}
	set := s.HasAPI()
	l.Require(!set || s.Domain != "", "AUTH0_DOMAIN", "is required with AUTH0_CLIENT_SECRET")
	l.Require(!set || s.ClientID != "", "AUTH0_CLIENT_ID", "is required with AUTH0_CLIENT_SECRET")
	l.Require(set || l.HasProblem("AUTH0_CLIENT_SECRET") || s.ClientID == "", "AUTH0_CLIENT_SECRET", "is required with AUTH0_CLIENT_ID")
}

// Streams returns the ids in StreamID, none for all streams.
func (s *Auth0) Streams() []string { return config.List(s.StreamID) }

// HasAPI says whether Auth0 can be asked which users exist.
func (s *Auth0) HasAPI() bool { return s.ClientSecret.IsSet() }

// APIURL returns the tenant's address.
func (s *Auth0) APIURL() string {
	if strings.Contains(s.Domain, "://") {
		return strings.TrimRight(s.Domain, "/")
	}
	return "https://" + s.Domain
}

func (s *Auth0) checkReconcile() error {
	switch {
	case !s.HasAPI():
		return errors.New("Auth0 cannot be asked: set AUTH0_DOMAIN, AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET")
	case s.IDField != auth0UserID:
		return errors.New("Auth0's users cannot be compared with Polar's customers: AUTH0_ID_FIELD is not " + auth0UserID + ", and Auth0 can only be asked about ids of its own")
	}
	return nil
}

// auth0Event is a CloudEvent. specversion is not read: Auth0's documentation
// disagrees with itself about its name.
type auth0Event struct {
	Type    string         `json:"type"`
	ID      jsontext.Value `json:"id"`
	Time    jsontext.Value `json:"time"`
	Purpose string         `json:"a0purpose"`
	Stream  string         `json:"a0stream"`
	Tenant  string         `json:"a0tenant"`
	Data    jsontext.Value `json:"data"`
}

// read leaves out identities, whose user_id lacks the connection's prefix and may be
// an integer, and previous_object, which is not the user that went.
func (s *Auth0) read(m Message) (deletion.Delivery, error) {
	var e auth0Event
	idField := jsontext.Pointer(cmp.Or(s.IDField, auth0UserID))
	id, err := payload.DecodeAround(m.Payload, idField, &e)
	if err != nil {
		return deletion.Delivery{}, err
	}
	eventID := payload.EventID(payload.Text(e.ID), m.Payload)
	switch {
	case e.Type != "user.deleted":
		return ignored(eventID, deletion.IgnoreOtherType), nil
	case e.Purpose == "test":
		return ignored(eventID, deletion.IgnoreTestEvent), nil
	case elsewhere(s.Streams(), e.Stream):
		return ignored(eventID, deletion.IgnoreOtherInstance), nil
	}
	var user struct {
		Object struct {
			UserID    jsontext.Value `json:"user_id"`
			DeletedAt jsontext.Value `json:"deleted_at"`
		} `json:"object"`
	}
	if err := payload.Member(e.Data, &user); err != nil {
		return deletion.Delivery{}, err
	}
	if idField != auth0UserID && id.Absent() {
		return ignored(eventID, deletion.IgnoreNoExternalID), nil
	}
	d := m.deletion(eventID, id, e.Time, user.Object.DeletedAt)
	d.UserID = payload.NewID(user.Object.UserID).Usable()
	return only(at(d, e.Tenant)), nil
}

// event follows the example in Auth0's event schema.
// https://github.com/auth0/docs-v2/blob/main/main/docs/oas/events/events-schema.json
func (s *Auth0) event(sample Sample) any {
	at := sample.Time.UTC().Format(time.RFC3339)
	user := map[string]any{
		"user_id":    sample.ExternalID,
		"created_at": at,
		"updated_at": at,
		"deleted_at": at,
		"identities": []any{map[string]any{
			"connection": "Username-Password-Authentication",
			"provider":   "auth0",
			"user_id":    20,
			"isSocial":   false,
		}},
	}
	if below, found := strings.CutPrefix(s.IDField, auth0AppMetadata); found {
		user["user_id"] = "auth0|507f1f77bcf86cd799439020"
		var metadata any = sample.ExternalID
		for _, name := range slices.Backward(slices.Collect(jsontext.Pointer("/" + below).Tokens())) {
			metadata = map[string]any{name: metadata}
		}
		user["app_metadata"] = metadata
	}
	e := map[string]any{
		"specversion": "1.0",
		"type":        "user.deleted",
		"source":      "urn:auth0:example.auth0app.com",
		"id":          sample.EventID,
		"time":        at,
		"data":        map[string]any{"object": user},
		"a0stream":    cmp.Or(first(s.Streams()), "est_vjFVP5pVdfvsfRKatshkVV"),
	}
	if !sample.Anonymous {
		e["a0tenant"] = "my-tenant"
	}
	return e
}
