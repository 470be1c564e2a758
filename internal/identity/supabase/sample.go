package supabase

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Sample returns a delivery as the webhook would send it, with secret as its
// token. There is no event id in it: like a repeat, a second sample is
// recognised by its body, so the row carries EventID as its user's name.
func Sample(secret string, s provider.Sample) (http.Header, []byte, error) {
	body, err := json.Marshal(map[string]any{
		"type":   "DELETE",
		"table":  "users",
		"schema": "auth",
		"record": nil,
		"old_record": map[string]any{
			"id":                 s.ExternalID,
			"aud":                "authenticated",
			"role":               "authenticated",
			"email":              "user@example.com",
			"created_at":         s.Time.UTC().Format(time.RFC3339Nano),
			"raw_user_meta_data": map[string]any{"name": s.EventID},
			"deleted_at":         nil,
		},
	}, json.Deterministic(true))
	if err != nil {
		return nil, nil, err
	}
	h, err := signature.Bearer().SignHeader(secret)
	return h, body, err
}
