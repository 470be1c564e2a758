package provider_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

func TestZITADELTheActorIsNotTheUser(t *testing.T) {
	t.Parallel()
	d := zitadel(t).only(t, `{"aggregateID":"1","aggregateType":"user","event_type":"user.removed","userID":"2"}`)
	require.Equal(t, "1", d.ExternalID)
	require.Equal(t, "1", d.UserID)
	d = zitadel(t).only(t, `{"aggregateType":"user","event_type":"user.removed","userID":"2","resourceOwner":"3"}`)
	require.Empty(t, d.ExternalID)
	require.Equal(t, deletion.MissingID, d.UnusableID)
}

func TestZITADELEventTypesCanBeSet(t *testing.T) {
	t.Parallel()
	const removed = `{"aggregateID":"1","aggregateType":"user","event_type":"user.removed"}`
	gone := zitadel(t, "ZITADEL_EVENT_TYPES", "user.gone,user.removed.v2")
	for _, name := range []string{"user.gone", "user.removed.v2"} {
		d := gone.only(t, strings.Replace(removed, "user.removed", name, 1))
		require.Equal(t, "1", d.ExternalID)
	}
	d := gone.receive(t, removed)
	require.Empty(t, d.Deletions, "the default is replaced")
	d = gone.receive(t, `{"aggregateID":"1","aggregateType":"org","event_type":"user.gone"}`)
	require.Empty(t, d.Deletions, "still only users")
}

func TestZITADELEventsAreKnownByTheirPlaceInTheEventStore(t *testing.T) {
	t.Parallel()
	const complete = `{"aggregateID":"1","aggregateType":"user","event_type":"user.removed","instanceID":"2","sequence":3}`
	require.Equal(t, "2/1/3", zitadel(t).only(t, complete).EventID)
	seen := map[string]bool{}
	for _, changed := range []string{
		strings.Replace(complete, `"instanceID":"2"`, `"instanceID":""`, 1),
		strings.Replace(complete, `"instanceID":"2"`, `"instanceID":2`, 1),
		strings.Replace(complete, `"sequence":3`, `"sequence":"3"`, 1),
		strings.Replace(complete, `"sequence":3`, `"sequence":null`, 1),
		strings.Replace(complete, `,"sequence":3`, ``, 1),
		strings.Replace(complete, `"aggregateID":"1"`, `"aggregateID":1`, 1),
		strings.Replace(complete, `"aggregateID":"1"`, `"aggregateID":""`, 1),
	} {
		id := zitadel(t).only(t, changed).EventID
		require.Regexp(t, `^sha256:[0-9a-f]{64}$`, id, "a part is missing, so the body decides")
		require.False(t, seen[id])
		seen[id] = true
	}
}

func zitadel(t *testing.T, pairs ...string) *sender {
	t.Helper()
	return enabled(t, "zitadel", append([]string{"ZITADEL_WEBHOOK_SECRET", textKey}, pairs...)...)
}
