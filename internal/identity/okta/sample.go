package okta

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Sample returns a delivery of one event as a hook would send it, with secret as
// its token. The envelope follows Okta's example, the event its description of
// the System Log.
// https://developer.okta.com/docs/concepts/event-hooks/#sample-event-delivery-payload
func Sample(secret string, s provider.Sample) (http.Header, []byte, error) {
	at := s.Time.UTC().Format(time.RFC3339Nano)
	deletion := map[string]any{
		"uuid":           s.EventID,
		"published":      at,
		"eventType":      userDeleted,
		"version":        "0",
		"displayMessage": "Delete Okta user initiated",
		"severity":       "INFO",
		"actor":          map[string]any{"id": "00uttidj01jqL21aM1d6", "type": "User", "alternateId": "admin@example.com", "displayName": "Admin"},
		"outcome":        map[string]any{"result": "SUCCESS", "reason": nil},
		"target":         []any{map[string]any{"id": s.ExternalID, "type": "User", "alternateId": "user@example.com", "displayName": "User"}},
	}
	body, err := json.Marshal(map[string]any{
		"eventType":          "com.okta.event_hook",
		"eventTypeVersion":   "1.0",
		"cloudEventsVersion": "0.1",
		"source":             "https://example.okta.com/api/v1/eventHooks/who7hphp39JoHLni81d7",
		"eventId":            "85b60edb-4263-4e13-993b-818e26201052",
		"data":               map[string]any{"events": []any{deletion}},
		"eventTime":          at,
		"contentType":        "application/json",
	}, json.Deterministic(true))
	if err != nil {
		return nil, nil, err
	}
	h, err := signature.Verbatim().SignHeader(secret)
	return h, body, err
}
