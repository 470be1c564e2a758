package logto

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Sample returns a delivery as Logto would send it, signed with secret. It has
// no id of its own; EventID stands for the webhook's, so that another EventID
// makes another body and with it another event.
func Sample(secret string, s provider.Sample) (http.Header, []byte, error) {
	body, err := json.Marshal(map[string]any{
		"hookId":       s.EventID,
		"event":        userDeleted,
		"createdAt":    s.Time.UTC().Format(time.RFC3339Nano),
		"userAgent":    "Mozilla/5.0",
		"ip":           "192.0.2.1",
		"path":         "/users/" + s.ExternalID,
		"method":       http.MethodDelete,
		"status":       http.StatusNoContent,
		"params":       map[string]any{"userId": s.ExternalID},
		"matchedRoute": "/users/:userId",
		"data":         nil,
	}, json.Deterministic(true))
	if err != nil {
		return nil, nil, err
	}
	h, err := signature.PlainHMACHeader(header, secret, body)
	return h, body, err
}
