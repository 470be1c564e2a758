package workos

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
)

// Sample returns a delivery as WorkOS would send it, signed with secret. The
// body follows the fixture of WorkOS's own Go library.
// https://github.com/workos/workos-go
func Sample(secret string, s provider.Sample) (http.Header, []byte, error) {
	user := map[string]any{
		"object":     "user",
		"id":         s.ExternalID,
		"email":      "deleted@example.com",
		"created_at": s.Time.UTC().Format(time.RFC3339Nano),
	}
	if s.IDField == provider.IDExternal {
		user["id"] = "user_01E4ZCR3C56J083X43JQXF3JK5"
		user["external_id"] = s.ExternalID
	}
	body, err := json.Marshal(map[string]any{
		"object":     "event",
		"id":         s.EventID,
		"event":      userDeleted,
		"created_at": s.Time.UTC().Format(time.RFC3339Nano),
		"data":       user,
		"context": map[string]any{
			"actor": map[string]any{"id": "user_01EHWNCE74X7JSDV0X3SZ3KJNY", "source": "api", "name": "Jane Doe"},
		},
	}, json.Deterministic(true))
	if err != nil {
		return nil, nil, err
	}
	h, err := form().SignHeader(secret, s.Time, body)
	return h, body, err
}
