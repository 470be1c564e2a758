package auth0

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Sample returns a delivery as an event stream would send it, with secret as
// its token. The body follows the example in Auth0's event schema.
// https://github.com/auth0/docs-v2/blob/main/main/docs/oas/events/events-schema.json
func Sample(secret string, s provider.Sample) (http.Header, []byte, error) {
	stream := s.Source
	if stream == "" {
		stream = "est_vjFVP5pVdfvsfRKatshkVV"
	}
	at := s.Time.UTC().Format(time.RFC3339)
	event := map[string]any{
		"specversion": "1.0",
		"type":        "user.deleted",
		"source":      "urn:auth0:example.auth0app.com",
		"id":          s.EventID,
		"time":        at,
		"data":        map[string]any{"object": sampleUser(s, at)},
		"a0stream":    stream,
	}
	if !s.Anonymous {
		event["a0tenant"] = "my-tenant"
	}
	body, err := json.Marshal(event, json.Deterministic(true))
	if err != nil {
		return nil, nil, err
	}
	h, err := signature.Bearer().SignHeader(secret)
	return h, body, err
}

func sampleUser(s provider.Sample, at string) map[string]any {
	user := map[string]any{
		"user_id":    s.ExternalID,
		"created_at": at,
		"updated_at": at,
		"deleted_at": at,
		"identities": []any{map[string]any{
			"connection": "Username-Password-Authentication",
			"provider":   "auth0",
			"user_id":    20,
			"isSocial":   false,
		}},
	}
	if strings.HasPrefix(s.IDField, idMetadata) {
		user["user_id"] = "auth0|507f1f77bcf86cd799439020"
		user["app_metadata"] = nest(jsontext.Pointer("/"+strings.TrimPrefix(s.IDField, idMetadata)), s.ExternalID)
	}
	return user
}

// nest returns the value wrapped in one object for each name of the pointer.
func nest(at jsontext.Pointer, value any) any {
	for _, name := range slices.Backward(slices.Collect(at.Tokens())) {
		value = map[string]any{name: value}
	}
	return value
}
