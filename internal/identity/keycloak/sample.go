package keycloak

import (
	"cmp"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Sample returns a delivery as the extension would send it for a deletion by an
// admin, signed with secret.
func Sample(secret string, s provider.Sample) (http.Header, []byte, error) {
	realm := cmp.Or(s.Source, "example")
	body, err := json.Marshal(map[string]any{
		"uid":           s.EventID,
		"id":            "0e7a6a67-7d0c-4f4f-9d0c-1b2f0e2ddc3a",
		"type":          byAdmin,
		"time":          s.Time.UnixMilli(),
		"realmId":       "8a5b3f4e-3f1b-4f7e-9f4e-6f1f5f0b7a10",
		"realmName":     realm,
		"resourceType":  "USER",
		"operationType": "DELETE",
		"resourcePath":  "users/" + s.ExternalID,
		"resourceId":    s.ExternalID,
		"details":       map[string]any{"userId": s.ExternalID},
		"authDetails": map[string]any{ // who did it
			"realmId": realm, "userId": "5c4b4c1e-58a5-4c3a-9d9a-6a5f2f1c7a55", "username": "admin", "ipAddress": "192.0.2.1",
		},
	}, json.Deterministic(true))
	if err != nil {
		return nil, nil, err
	}
	h, err := signature.PlainHMACHeader(header, secret, body)
	return h, body, err
}
