package provider

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// logto reads the webhooks of Logto.
// https://docs.logto.io/developers/webhooks
func logto() *Spec {
	s := &struct {
		WebhookSecret *config.SecretSource `kong:"-" secret:"LOGTO_WEBHOOK_SECRET" help:"Enables /webhooks/logto."`
	}{}
	return &Spec{
		Name:      "logto",
		Title:     "Logto",
		Docs:      "https://docs.logto.io/developers/webhooks/secure-webhooks",
		EnabledBy: "LOGTO_WEBHOOK_SECRET",
		SignedID:  true, // a digest of the signed body
		IDForm:    always(`^[0-9A-Za-z]{12}$`),

		Settings:    s,
		Secret:      &s.WebhookSecret,
		SplitSecret: config.Listed,

		Scheme: signature.NewPlainHMAC("Logto-Signature-Sha-256"),
		Read:   readLogto,
		// Logto's documentation wants no other status than 200.
		// https://docs.logto.io/developers/webhooks/configure-webhooks
		AcknowledgeEmpty: true,
		Event:            logtoEvent,
	}
}

const (
	logtoUserDeleted = "User.Deleted"
	// logtoTestPath is what the console's test payload has for a path.
	// https://github.com/logto-io/logto/blob/master/packages/core/src/libraries/hook/utils.ts
	logtoTestPath = "/fake-path/:id"
)

// readLogto finds the id in the parameters or in data, which is null, the API's answer
// or the user, depending on Logto's version.
func readLogto(m Message) (deletion.Delivery, error) {
	var e struct {
		Event     string         `json:"event"`
		Path      string         `json:"path"`
		Status    int            `json:"status"` // of the API call that deleted
		CreatedAt jsontext.Value `json:"createdAt"`
		Data      jsontext.Value `json:"data"`
	}
	id, err := payload.DecodeAround(m.Payload, payload.Either(m.Payload, "/params/userId", "/data/id"), &e)
	if err != nil {
		return deletion.Delivery{}, err
	}
	eventID := payload.EventID("", m.Payload)
	switch {
	case e.Event != logtoUserDeleted || e.Status >= http.StatusBadRequest:
		return ignored(eventID, deletion.IgnoreOtherType), nil
	case e.Path == logtoTestPath:
		return ignored(eventID, deletion.IgnoreTestEvent), nil
	}
	other, err := payload.Find(e.Data, "/id")
	if err != nil {
		return deletion.Delivery{}, err
	}
	return only(m.deletion(eventID, id.ConsistentWith(other), e.CreatedAt)), nil
}

// logtoEvent has no id of its own; the sample's stands for the webhook's, so that
// another one makes another body and with it another event.
func logtoEvent(s Sample) any {
	return map[string]any{
		"hookId":       s.EventID,
		"event":        logtoUserDeleted,
		"createdAt":    s.Time.UTC().Format(time.RFC3339Nano),
		"userAgent":    "Mozilla/5.0",
		"ip":           "192.0.2.1",
		"path":         "/users/" + s.ExternalID,
		"method":       http.MethodDelete,
		"status":       http.StatusNoContent,
		"params":       map[string]any{"userId": s.ExternalID},
		"matchedRoute": "/users/:userId",
		"data":         nil,
	}
}
