package fusionauth

import (
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/payload"
)

// envelope leaves out what other types of events carry.
type envelope struct {
	Event struct {
		Type          string         `json:"type"`
		ID            string         `json:"id"`
		TenantID      jsontext.Value `json:"tenantId"`
		CreateInstant jsontext.Value `json:"createInstant"` // milliseconds
		User          jsontext.Value `json:"user"`
	} `json:"event"`
}

// user leaves out everything personal.
type user struct {
	InsertInstant jsontext.Value `json:"insertInstant"`
}

// sameDeletion is how far apart user.delete and user.delete.complete of one
// deletion may be. FusionAuth sends the second when the first was answered and
// its transaction is committed, which is a matter of seconds.
const sameDeletion = 10 * time.Minute

// deletionKey returns what makes both events of one deletion the same, however
// often they are sent. user.delete comes first but before the commit, and it is
// the only one when users are deleted in bulk.
//
// The time is part of it for the case that the transaction failed: such a user
// lives on, may buy again, and the deletion that succeeds later must not be
// taken for a repeat. The user's own beginning is part of it because ids can be
// given again. When the two events fall on both sides of a limit, there are two
// deletions, of which Polar does the second one in vain.
//
// It is a digest, so that LOG_EXTERNAL_ID governs whether the user's id is logged.
func deletionKey(d event.Deletion, e envelope, u user) string {
	at, err := strconv.ParseInt(string(e.Event.CreateInstant), 10, 64)
	if err != nil || d.UnusableID != "" {
		return d.EventID
	}
	window := event.UnixTime(at).Unix() / int64(sameDeletion/time.Second)
	return payload.EventID("", fmt.Appendf(nil, "%q %q %q %d", e.Event.TenantID, d.ExternalID, u.InsertInstant, window))
}
