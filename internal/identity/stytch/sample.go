package stytch

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Sample returns a delivery as Stytch would send it, signed with secret. The
// body follows Stytch's event catalogue.
// https://www.svix.com/event-types/us/org_2olWIePjxAFYube1xW8DoQUEnyY
func Sample(secret string, s provider.Sample) (http.Header, []byte, error) {
	body, err := json.Marshal(map[string]any{
		"action":      "DELETE",
		"event_id":    "webhook-event-test-00000000-0000-0000-0000-000000000000",
		"id":          s.ExternalID,
		"object_type": "user",
		"project_id":  "project-test-00000000-0000-0000-0000-000000000000",
		"source":      "DASHBOARD",
		"timestamp":   s.Time.UTC().Format(time.RFC3339Nano),
		"vertical":    "CONSUMER",
	}, json.Deterministic(true))
	if err != nil {
		return nil, nil, err
	}
	h, err := signature.SvixHeader(signature.SvixHeaders(), secret, s.EventID, s.Time, body)
	return h, body, err
}
