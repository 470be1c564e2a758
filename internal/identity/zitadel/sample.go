package zitadel

import (
	"cmp"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
)

// Sample returns a delivery as ZITADEL would send it, signed with secret. It has
// no id of its own, so EventID stands for the instance.
func Sample(secret string, s provider.Sample) (http.Header, []byte, error) {
	body, err := json.Marshal(map[string]any{
		"aggregateID":   s.ExternalID,
		"aggregateType": "user",
		"resourceOwner": "336494809936035843",
		"instanceID":    s.EventID,
		"version":       "v2",
		"sequence":      7,
		"event_type":    cmp.Or(s.EventType, userRemoved),
		"created_at":    s.Time.UTC().Format(time.RFC3339Nano),
		"userID":        "336392597046099971", // who did it
	}, json.Deterministic(true))
	if err != nil {
		return nil, nil, err
	}
	h, err := form().SignHeader(secret, s.Time, body)
	return h, body, err
}
