package provider

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

type keycloakSettings struct {
	WebhookSecret *config.SecretSource `kong:"-" secret:"KEYCLOAK_WEBHOOK_SECRET" help:"Enables /webhooks/keycloak (Phase Two's keycloak-events)."`
	Realm         string               `name:"keycloak-realm" env:"KEYCLOAK_REALM" type:"setting" placeholder:"NAMES" help:"Names of Keycloak realms, separated by commas: events of any other are ignored."`
}

// keycloak reads the webhooks of Phase Two's keycloak-events, an extension that
// Keycloak needs to send any.
// https://github.com/p2-inc/keycloak-events
func keycloak() *Spec {
	s := &keycloakSettings{}
	return &Spec{
		Name:        "keycloak",
		Title:       "Keycloak with Phase Two's keycloak-events",
		Docs:        "https://github.com/p2-inc/keycloak-events",
		EnabledBy:   "KEYCLOAK_WEBHOOK_SECRET",
		SignedID:    true,
		IDsReusable: true,                      // an import gives users the ids that stand in it
		IDForm:      always(formUUID + `|^f:`), // federated users: f:COMPONENT:ID

		Settings:    s,
		Secret:      &s.WebhookSecret,
		SplitSecret: config.Lines,
		Check:       s.check,

		Scheme: signature.NewPlainHMAC("X-Keycloak-Signature"),
		Read:   s.read,
		Event:  s.event,
	}
}

// check refuses what a realm's name may not hold, a comma among it:
// https://github.com/keycloak/keycloak/blob/main/services/src/main/java/org/keycloak/utils/ReservedCharValidator.java
func (s *keycloakSettings) check(l *config.Loader) {
	l.RequireEach("KEYCLOAK_REALM", s.Realm, regexp.MustCompile(`^[^:/?#@!$&()*+,;=\[\]\\[:cntrl:]]+$`),
		"must be names of realms as they stand in their addresses, /realms/NAME, separated by commas")
}

// realms returns the names in Realm, none for all realms.
func (s *keycloakSettings) realms() []string { return config.List(s.Realm) }

const (
	keycloakByAdmin = "admin.USER-DELETE"
	keycloakByUser  = "access.DELETE_ACCOUNT"
)

type keycloakEvent struct {
	UID           jsontext.Value `json:"uid"`
	Type          string         `json:"type"`
	Time          jsontext.Value `json:"time"` // milliseconds
	RealmName     string         `json:"realmName"`
	ResourceType  string         `json:"resourceType"`
	OperationType string         `json:"operationType"`
	ResourcePath  jsontext.Value `json:"resourcePath"`
	Error         jsontext.Value `json:"error"`
	Details       jsontext.Value `json:"details"`
}

func (s *keycloakSettings) read(m Message) (deletion.Delivery, error) {
	var e keycloakEvent
	id, err := payload.DecodeAround(m.Payload, keycloakIDField(m.Payload), &e)
	if err != nil {
		return deletion.Delivery{}, err
	}
	// The same for all tries of one webhook, and another for each webhook.
	eventID := payload.EventID(payload.Text(e.UID), m.Payload)
	switch {
	case !e.deleted():
		return ignored(eventID, deletion.IgnoreOtherType), nil
	case elsewhere(s.realms(), e.RealmName):
		return ignored(eventID, deletion.IgnoreOtherInstance), nil
	case e.Type == keycloakByAdmin && e.subject() == keycloakPartOfUser:
		return ignored(eventID, deletion.IgnoreOtherType), nil
	}
	if e.Type == keycloakByAdmin {
		if id, err = e.consistent(id); err != nil {
			return deletion.Delivery{}, err
		}
	}
	return only(m.deletion(eventID, id, e.Time)), nil
}

// keycloakIDField returns where the id of the deleted user stands, which depends on
// the type. In what admins do, authDetails is the admin; resourceId is missing from
// older versions of the extension, which have the id of a user's resource in details.
func keycloakIDField(body []byte) jsontext.Pointer {
	// A type that stands twice is an error when the whole is decoded.
	if raw, err := payload.Find(body, "/type"); err == nil && payload.Text(raw) == keycloakByUser {
		return "/authDetails/userId"
	}
	return payload.Either(body, "/resourceId", "/details/userId")
}

// deleted says whether a user was deleted and no error stood in the way; the
// names of users' own failures end in _ERROR and so differ.
func (e keycloakEvent) deleted() bool {
	if !keycloakAbsent(e.Error) {
		return false
	}
	return e.Type == keycloakByUser || e.Type == keycloakByAdmin &&
		(e.ResourceType == "" || e.ResourceType == "USER") && (e.OperationType == "" || e.OperationType == "DELETE")
}

// keycloakSubject is what an admin event's resourcePath is about.
type keycloakSubject int

const (
	keycloakWholeUser keycloakSubject = iota
	keycloakPartOfUser
	keycloakUnknownSubject
)

// subject tells a user from a part of one: whoever removes a user's link to a
// sign-in provider, or one of the user's credentials, causes an event of the same
// type, whose resourceId is the alias or the credential. Users are users/<id> or,
// by SCIM, scim/v2/Users/<id>. Versions that send no path are taken at their word.
// https://github.com/keycloak/keycloak/blob/main/services/src/main/java/org/keycloak/services/resources/admin/UserResource.java
func (e keycloakEvent) subject() keycloakSubject {
	if keycloakAbsent(e.ResourcePath) {
		return keycloakWholeUser
	}
	segments := e.segments()
	users := slices.IndexFunc(segments, func(s string) bool { return strings.EqualFold(s, "users") })
	known := users == 0 || users > 0 && segments[0] == "scim"
	switch rest := len(segments) - users - 1; {
	case !known || rest == 0:
		return keycloakUnknownSubject
	case rest > 1:
		return keycloakPartOfUser
	}
	return keycloakWholeUser
}

// consistent returns the id if nothing else in an admin's event names somebody else
// or something that is no user, else one that a human has to look at.
func (e keycloakEvent) consistent(id payload.ID) (payload.ID, error) {
	other, err := payload.Find(e.Details, "/userId")
	if err != nil {
		return payload.ID{}, err
	}
	id = id.ConsistentWith(other)
	segments := e.segments()
	if last := segments[len(segments)-1]; e.subject() == keycloakUnknownSubject || last != "" && last != id.Usable() {
		id = id.Untrusted()
	}
	return id, nil
}

// segments returns those of the path, one empty segment when there is none.
func (e keycloakEvent) segments() []string {
	return strings.Split(strings.Trim(payload.Text(e.ResourcePath), "/"), "/")
}

// keycloakAbsent says that a member is not there, null or empty.
func keycloakAbsent(raw jsontext.Value) bool {
	return len(raw) == 0 || raw.Kind() == jsontext.KindNull || string(raw) == `""`
}

// event is a deletion by an admin.
func (s *keycloakSettings) event(sample Sample) any {
	realm := cmp.Or(first(s.realms()), "example")
	return map[string]any{
		"uid":           sample.EventID,
		"id":            "0e7a6a67-7d0c-4f4f-9d0c-1b2f0e2ddc3a",
		"type":          keycloakByAdmin,
		"time":          sample.Time.UnixMilli(),
		"realmId":       "8a5b3f4e-3f1b-4f7e-9f4e-6f1f5f0b7a10",
		"realmName":     realm,
		"resourceType":  "USER",
		"operationType": "DELETE",
		"resourcePath":  "users/" + sample.ExternalID,
		"resourceId":    sample.ExternalID,
		"details":       map[string]any{"userId": sample.ExternalID},
		"authDetails": map[string]any{ // who did it
			"realmId": realm, "userId": "5c4b4c1e-58a5-4c3a-9d9a-6a5f2f1c7a55", "username": "admin", "ipAddress": "192.0.2.1",
		},
	}
}
