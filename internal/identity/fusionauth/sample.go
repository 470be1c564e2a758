package fusionauth

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Sample returns a delivery as FusionAuth would send it, signed with an HMAC key
// or a private key: see signature.SignJWT.
// https://fusionauth.io/docs/extend/events-and-webhooks/events/user-delete-complete
func Sample(key string, s provider.Sample) (http.Header, []byte, error) {
	body, err := json.Marshal(map[string]any{"event": map[string]any{
		"createInstant": s.Time.UnixMilli(),
		"id":            s.EventID,
		"info":          map[string]any{},
		"tenantId":      "30663132-6464-6665-3032-326466613934",
		"type":          "user.delete.complete",
		"user":          map[string]any{"id": s.ExternalID, "active": true, "insertInstant": 1331449200000},
	}}, json.Deterministic(true))
	if err != nil {
		return nil, nil, err
	}
	h, err := signedHeader(key, body)
	return h, body, err
}

// signedHeader returns the headers of a delivery with the body.
func signedHeader(key string, body []byte) (http.Header, error) {
	sum := sha256.Sum256(body)
	token, err := signature.SignJWT(key, []byte(`{"request_body_sha256":"`+base64.StdEncoding.EncodeToString(sum[:])+`"}`))
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set(signatureHeader, token)
	return h, nil
}
