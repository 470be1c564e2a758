package provider

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

type zitadelSettings struct {
	WebhookSecret *config.SecretSource `kong:"-" secret:"ZITADEL_WEBHOOK_SECRET" help:"Enables /webhooks/zitadel (Actions v2)."`
	EventTypes    string               `name:"zitadel-event-types" env:"ZITADEL_EVENT_TYPES" type:"setting" default:"user.removed" placeholder:"NAMES" help:"Names of the ZITADEL events that mean a user's deletion, separated by commas."`
}

// zitadel reads the event executions of ZITADEL's Actions v2.
// https://zitadel.com/docs/guides/integrate/actions/usage
func zitadel(o Options) *Spec {
	s := &zitadelSettings{}
	return &Spec{
		Name:        "zitadel",
		Title:       "ZITADEL Actions v2",
		Docs:        "https://zitadel.com/docs/guides/integrate/actions/usage",
		EnabledBy:   "ZITADEL_WEBHOOK_SECRET",
		SignedID:    true,
		Timestamped: true,
		IDsReusable: true, // who creates a user through the API may choose its id

		Settings:    s,
		Secret:      &s.WebhookSecret,
		SplitSecret: config.Listed,
		Check:       s.check,

		// The form is that of ZITADEL's own signer, whose validator has the same
		// tolerance but accepts any time in the future.
		// https://github.com/zitadel/zitadel/blob/main/pkg/actions/signing.go
		Scheme: signature.NewTimedHMAC(o.Now, signature.TimedForm{
			Header: "Zitadel-Signature", Separator: ",", Unit: time.Second, Tolerance: 300 * time.Second,
		}),
		Read:  s.read,
		Event: s.event,
	}
}

// types returns the names in EventTypes. The default is the event's name in ZITADEL's
// source, and on the wire; other versions may have another.
// https://github.com/zitadel/zitadel/blob/main/internal/repository/user/user.go
func (s *zitadelSettings) types() []string { return config.List(cmp.Or(s.EventTypes, "user.removed")) }

// check takes whole names only: a wildcard that ZITADEL understands would not do here
// what one expects, and an event of another aggregate is no user's.
func (s *zitadelSettings) check(l *config.Loader) {
	for _, name := range s.types() {
		rest, ofUser := strings.CutPrefix(name, "user.")
		odd := strings.ContainsFunc(rest, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '_'
		})
		l.RequireValue(ofUser && rest != "" && !odd, "ZITADEL_EVENT_TYPES",
			"must be names of user events such as user.removed, separated by commas")
	}
}

// read leaves userID out: that is who deleted, not who was deleted.
func (s *zitadelSettings) read(m Message) (deletion.Delivery, error) {
	var e struct {
		AggregateType string         `json:"aggregateType"`
		InstanceID    jsontext.Value `json:"instanceID"`
		Sequence      jsontext.Value `json:"sequence"`
		EventType     string         `json:"event_type"`
		CreatedAt     jsontext.Value `json:"created_at"`
	}
	id, err := payload.DecodeAround(m.Payload, "/aggregateID", &e)
	if err != nil {
		return deletion.Delivery{}, err
	}
	// Named as in ZITADEL's event store; without one part it would name others too.
	eventID, instance := "", payload.Text(e.InstanceID)
	if aggregate := id.Usable(); instance != "" && aggregate != "" && e.Sequence.Kind() == jsontext.KindNumber {
		eventID = instance + "/" + aggregate + "/" + string(e.Sequence)
	}
	eventID = payload.EventID(eventID, m.Payload)
	// Organizations and projects are aggregates as well.
	if e.AggregateType != "user" || !slices.Contains(s.types(), e.EventType) {
		return ignored(eventID, deletion.IgnoreOtherType), nil
	}
	return only(m.deletion(eventID, id, e.CreatedAt)), nil
}

// event has no id of its own, so the sample's stands for the instance.
func (s *zitadelSettings) event(sample Sample) any {
	return map[string]any{
		"aggregateID":   sample.ExternalID,
		"aggregateType": "user",
		"resourceOwner": "336494809936035843",
		"instanceID":    sample.EventID,
		"version":       "v2",
		"sequence":      7,
		"event_type":    first(s.types()),
		"created_at":    sample.Time.UTC().Format(time.RFC3339Nano),
		"userID":        "336392597046099971", // who did it
	}
}
