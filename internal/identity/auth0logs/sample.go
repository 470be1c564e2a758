package auth0logs

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Sample returns a delivery of one entry as a log stream would send it by
// default (JSON lines), with secret as its token. The entry follows Auth0's log
// schema. https://github.com/auth0/auth0-log-schemas
func Sample(secret string, s provider.Sample) (http.Header, []byte, error) {
	data := map[string]any{
		"date":             s.Time.UTC().Format(time.RFC3339Nano),
		"type":             userDeleted,
		"connection":       "Username-Password-Authentication",
		"client_id":        "QG4F6eABIgDzPvcKCMKUjo8c9iet2Skc",
		"ip":               "192.0.2.1",
		"user_id":          s.ExternalID,
		"strategy":         "auth0",
		"log_id":           s.EventID,
		"strategy_type":    "database",
		"environment_name": "prod-us-1",
	}
	if !s.Anonymous {
		data["tenant_name"] = "my-tenant"
	}
	body, err := json.Marshal(map[string]any{"log_id": s.EventID, "data": data}, json.Deterministic(true))
	if err != nil {
		return nil, nil, err
	}
	h, err := signature.Verbatim().SignHeader(secret)
	return h, append(body, '\n'), err
}
