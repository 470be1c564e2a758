package clerk

import (
	"cmp"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Sample returns a delivery as Clerk would send it, signed with secret. The
// body follows Clerk's OpenAPI description, version 2025-04-15.
// https://github.com/clerk/openapi-specs/tree/main/webhooks
func Sample(secret string, s provider.Sample) (http.Header, []byte, error) {
	user := map[string]any{"object": "user", "id": s.ExternalID, "deleted": true}
	if s.IDField == provider.IDExternal {
		user["id"] = "user_2g7np7Hrk0SN6kj5EDMLDaKNL0S"
		user["external_id"] = s.ExternalID
	}
	event := map[string]any{
		"object":    "event",
		"type":      "user.deleted",
		"timestamp": s.Time.UnixMilli(),
		"data":      user,
		"event_attributes": map[string]any{
			"http_request": map[string]any{"client_ip": "192.0.2.1", "user_agent": "Mozilla/5.0"},
		},
	}
	if !s.Anonymous || s.Source != "" {
		event["instance_id"] = cmp.Or(s.Source, "ins_2g7np7Hrk0SN6kj5EDMLDaKNL0S")
	}
	body, err := json.Marshal(event, json.Deterministic(true))
	if err != nil {
		return nil, nil, err
	}
	h, err := signature.SvixHeader(signature.SvixHeaders(), secret, s.EventID, s.Time, body)
	return h, body, err
}
