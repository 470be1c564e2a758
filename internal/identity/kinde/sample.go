package kinde

import (
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Sample returns a delivery as Kinde would send it, signed with a private key:
// see signature.NewSigningKey. Kinde's own never leave Kinde.
func Sample(privateKey string, s provider.Sample) (http.Header, []byte, error) {
	if !signature.IsSigningKey(privateKey) {
		return nil, nil, errors.New("a private key is needed to sign as Kinde does")
	}
	claims, err := json.Marshal(map[string]any{
		"type":      "user.deleted",
		"event_id":  s.EventID,
		"source":    "admin",
		"timestamp": s.Time.UTC().Format(time.RFC3339Nano),
		"data":      map[string]any{"user": map[string]any{"id": s.ExternalID}},
	}, json.Deterministic(true))
	if err != nil {
		return nil, nil, err
	}
	token, err := signature.SignJWT(privateKey, claims)
	h := http.Header{}
	h.Set("Content-Type", "application/jwt")
	h.Set("Webhook-Id", "whr_"+s.EventID)
	return h, []byte(token), err
}
