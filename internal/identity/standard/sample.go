package standard

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Sample returns a delivery that follows the specification's convention, signed
// with secret. With a public key for a secret it fails.
func Sample(secret string, s provider.Sample) (http.Header, []byte, error) {
	event := map[string]any{"timestamp": s.Time.UTC().Format(time.RFC3339Nano)}
	put(event, jsontext.Pointer(cmp.Or(s.TypeField, defaultTypeField)), cmp.Or(s.EventType, defaultEventType))
	put(event, jsontext.Pointer(cmp.Or(s.IDField, defaultIDField)), s.ExternalID)
	body, err := json.Marshal(event, json.Deterministic(true))
	if err != nil {
		return nil, nil, err
	}
	h, err := signature.StandardHeader(signature.StandardHeaders(), secret, s.EventID, s.Time, body)
	return h, body, err
}

// put sets the value at the pointer and makes the objects on the way to it.
func put(object map[string]any, at jsontext.Pointer, value string) {
	names := slices.Collect(at.Tokens())
	for _, name := range names[:len(names)-1] {
		inner, ok := object[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			object[name] = inner
		}
		object = inner
	}
	object[names[len(names)-1]] = value
}
