package provider

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Clerk is the settings of Clerk and of its Backend API.
type Clerk struct {
	SigningSecret *config.SecretSource `kong:"-" secret:"CLERK_WEBHOOK_SIGNING_SECRET" help:"Enables /webhooks/clerk."`
	IDField       string               `name:"clerk-id-field" env:"CLERK_ID_FIELD" type:"setting" default:"id" placeholder:"FIELD" help:"The user's field that is Polar's external id: id or external_id."`
	Events        string               `name:"clerk-events" env:"CLERK_EVENTS" type:"setting" default:"user.deleted" placeholder:"EVENTS" help:"The events that delete a customer, separated by a comma: user.deleted, and organization.deleted where organizations are billed. The organization's id is Polar's external id then."`
	InstanceID    string               `name:"clerk-instance-id" env:"CLERK_INSTANCE_ID" type:"setting" placeholder:"IDS" help:"Ids of Clerk instances (ins_…), separated by commas: events of any other are ignored, and the Backend API's key must be of one of them."`
	SecretKey     *config.SecretSource `kong:"-" secret:"CLERK_SECRET_KEY" group:"Identity providers' APIs" help:"Secret key of Clerk's Backend API: deletions are confirmed at Clerk."`
	APIURL        string               `name:"clerk-api-url" env:"CLERK_API_URL" type:"setting" default:"https://api.clerk.com" placeholder:"URL" group:"Identity providers' APIs" help:"Another address of Clerk's Backend API, for tests and proxies: https, or http on loopback."`
}

// clerk reads the webhooks of Clerk, which Svix signs and delivers.
// https://clerk.com/docs/guides/development/webhooks/overview
func clerk(o Options) *Spec {
	s := &Clerk{}
	const wrong = "Set the secret key, sk_live_… or sk_test_…."
	return &Spec{
		Name:        "clerk",
		Title:       "Clerk",
		Docs:        "https://clerk.com/docs/guides/development/webhooks/overview",
		EnabledBy:   "CLERK_WEBHOOK_SIGNING_SECRET",
		SignedID:    true,
		Timestamped: true,
		IDForm:      s.idForm,

		Settings:    s,
		Secret:      &s.SigningSecret,
		SplitSecret: config.Listed,
		Check:       s.check,
		// https://clerk.com/docs/guides/development/clerk-environment-variables
		Misplaced: []config.MisplacedKey{
			{Setting: "CLERK_SECRET_KEY", Prefix: "pk_", Problem: "is a publishable key, which everybody may know, not the secret key", Do: wrong},
			{Setting: "CLERK_SECRET_KEY", Prefix: "whsec_", Problem: "is the signing secret of a webhook, not the secret key", Do: wrong},
		},
		CheckReconcile: s.checkReconcile,

		// Clerk's own verifier takes the svix-* set only.
		Scheme: signature.NewSvix(o.Now, signature.SvixHeaders()),
		Read:   s.read,
		Event:  s.event,
	}
}

func (s *Clerk) check(l *config.Loader) {
	s.SecretKey = l.Secret("CLERK_SECRET_KEY", config.One(config.CheckToken))
	l.RequireOneOf("CLERK_ID_FIELD", s.IDField, idOwn, idExternal)
	requireEvents(l, "CLERK_EVENTS", s.Events)
	l.RequireEach("CLERK_INSTANCE_ID", s.InstanceID, regexp.MustCompile(`^ins_[0-9A-Za-z]+$`),
		"must be ids of Clerk instances such as ins_2g7np7Hrk0SN6kj5EDMLDaKNL0S, separated by commas")
	l.RequireAddress("CLERK_API_URL", s.APIURL)
}

// Instances returns the ids in InstanceID, none for all instances.
func (s *Clerk) Instances() []string { return config.List(s.InstanceID) }

// HasAPI says whether Clerk can be asked which users exist.
func (s *Clerk) HasAPI() bool { return s.SecretKey.IsSet() }

func (s *Clerk) checkReconcile() error {
	switch {
	case !s.HasAPI():
		return errors.New("Clerk cannot be asked: set CLERK_SECRET_KEY")
	case s.IDField != idOwn:
		return errors.New("Clerk's users cannot be compared with Polar's customers: CLERK_ID_FIELD is not id, and Clerk can only be asked about ids of its own") //nolint:staticcheck // a name begins it
	}
	return nil
}

// idForm is that of Clerk's own ids; an id of the application's may be anything.
func (s *Clerk) idForm() string {
	if s.IDField == idExternal && s.reads(eventUser) {
		return ""
	}
	var forms []string
	for event, prefix := range map[string]string{eventOrganization: "org", eventUser: "user"} {
		if s.reads(event) {
			forms = append(forms, "^"+prefix+"_[0-9A-Za-z]+$")
		}
	}
	return strings.Join(forms, "|")
}

// reads says whether events of the type delete customers.
func (s *Clerk) reads(event string) bool {
	return slices.Contains(config.List(cmp.Or(s.Events, eventUser)), event)
}

// read leaves out what other types of events carry in other forms. Deleted
// organizations and roles share Clerk's DeletedObject, whose schema requires object
// and deleted only.
func (s *Clerk) read(m Message) (deletion.Delivery, error) {
	var e struct {
		Type       string         `json:"type"`
		InstanceID string         `json:"instance_id"`
		Timestamp  jsontext.Value `json:"timestamp"` // seconds or milliseconds
		Data       jsontext.Value `json:"data"`
	}
	idField := cmp.Or(s.IDField, idOwn)
	id, err := payload.DecodeAround(m.Payload, jsontext.Pointer("/data/"+idField), &e)
	if err != nil {
		return deletion.Delivery{}, err
	}
	eventID := payload.EventID(m.ID, m.Payload)
	var object struct {
		Object  string         `json:"object"`
		Deleted bool           `json:"deleted"`
		ID      jsontext.Value `json:"id"`
	}
	if s.reads(e.Type) {
		if err := payload.Member(e.Data, &object); err != nil {
			return deletion.Delivery{}, err
		}
	}
	switch {
	case object.Object+".deleted" != e.Type || !object.Deleted:
		return ignored(eventID, deletion.IgnoreOtherType), nil
	case elsewhere(s.Instances(), e.InstanceID):
		return ignored(eventID, deletion.IgnoreOtherInstance), nil
	case e.Type == eventOrganization: // it has no other id than Clerk's
		return only(at(m.organization(eventID, payload.NewID(object.ID), e.Timestamp), e.InstanceID)), nil
	case idField == idExternal && id.Absent():
		return ignored(eventID, deletion.IgnoreNoExternalID), nil
	}
	d := m.deletion(eventID, id, e.Timestamp)
	d.UserID = payload.NewID(object.ID).Usable()
	return only(at(d, e.InstanceID)), nil
}

// event follows Clerk's OpenAPI description, version 2025-04-15.
// https://github.com/clerk/openapi-specs/tree/main/webhooks
func (s *Clerk) event(sample Sample) any {
	user, event := map[string]any{"object": "user", "id": sample.ExternalID, "deleted": true}, eventUser
	switch {
	case !s.reads(eventUser):
		user["object"], event = "organization", eventOrganization
	case s.IDField == idExternal:
		user["id"] = "user_2g7np7Hrk0SN6kj5EDMLDaKNL0S"
		user["external_id"] = sample.ExternalID
	}
	e := map[string]any{
		"object":    "event",
		"type":      event,
		"timestamp": sample.Time.UnixMilli(),
		"data":      user,
		"event_attributes": map[string]any{
			"http_request": map[string]any{"client_ip": "192.0.2.1", "user_agent": "Mozilla/5.0"},
		},
	}
	if instance := first(s.Instances()); instance != "" || !sample.Anonymous {
		e["instance_id"] = cmp.Or(instance, "ins_2g7np7Hrk0SN6kj5EDMLDaKNL0S")
	}
	return e
}
