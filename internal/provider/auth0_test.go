package provider_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

func TestAuth0TakesTheSubject(t *testing.T) {
	t.Parallel()
	d := auth0(t).only(t, `{"type":"user.deleted","id":"evt_1","data":{
		"object":{"user_id":"auth0|subject","identities":[{"user_id":5},{"user_id":"a"}],"email":"x@example.com"},
		"previous_object":{"user_id":"auth0|previous"},
		"context":{"client":{"id":"auth0|client"},"actor":{"user_id":"auth0|actor"}}}}`)
	require.Equal(t, "auth0|subject", d.ExternalID)
	require.Equal(t, "auth0|subject", d.UserID)
	require.Equal(t, "evt_1", d.EventID)
}

func TestAuth0UserIDIsKeptBesideTheMetadata(t *testing.T) {
	t.Parallel()
	d := auth0(t, "AUTH0_ID_FIELD", "/data/object/app_metadata/polar").only(t,
		`{"type":"user.deleted","data":{"object":{"user_id":"auth0|1","app_metadata":{"polar":"p"}}}}`)
	require.Equal(t, "p", d.ExternalID)
	require.Equal(t, "auth0|1", d.UserID)
}

func TestAuth0ArrayElementsInMetadata(t *testing.T) {
	t.Parallel()
	d := auth0(t, "AUTH0_ID_FIELD", "/data/object/app_metadata/ids/1").only(t,
		`{"type":"user.deleted","data":{"object":{"app_metadata":{"ids":["a","b"]}}}}`)
	require.Equal(t, "b", d.ExternalID)
}

// The event's time and the user's deletion say the same; either may be missing.
func TestAuth0DeletedUserTellsTheTimeToo(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"type":"user.deleted","data":{"object":{"user_id":"a","deleted_at":"2026-08-01T09:30:00Z"}}}`,
		`{"type":"user.deleted","time":null,"data":{"object":{"user_id":"a","deleted_at":"2026-08-01T09:30:00Z"}}}`,
		`{"type":"user.deleted","time":"2026-08-01T09:30:00Z","data":{"object":{"user_id":"a","deleted_at":{}}}}`,
		`{"type":"user.deleted","time":"2026-08-01T09:31:00Z","data":{"object":{"user_id":"a","deleted_at":"2026-08-01T09:30:00Z"}}}`,
	} {
		require.Equal(t, time.Date(2026, 8, 1, 9, 30, 0, 0, time.UTC), auth0(t).only(t, body).OccurredAt, body)
	}
}

func TestAuth0EventIDs(t *testing.T) {
	t.Parallel()
	const rest = `"type":"user.deleted","data":{"object":{"user_id":"a"}}}`
	missing := auth0(t).only(t, `{`+rest)
	empty := auth0(t).only(t, `{"id":"",`+rest)
	odd := auth0(t).only(t, `{"id":"é",`+rest)
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, missing.EventID)
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, empty.EventID)
	require.Equal(t, "sha256:4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c", odd.EventID)
	require.NotEqual(t, missing.EventID, empty.EventID)
	missing.OccurredAt, missing.ReceivedAt = time.Time{}, time.Time{}
	require.Equal(t, missing, untimed(auth0(t).only(t, `{`+rest)), "the same body has the same key")
}

func untimed(d deletion.Deletion) deletion.Deletion {
	d.OccurredAt, d.ReceivedAt = time.Time{}, time.Time{}
	return d
}

func auth0(t *testing.T, pairs ...string) *sender {
	t.Helper()
	return enabled(t, "auth0", append([]string{"AUTH0_WEBHOOK_TOKEN", someToken}, pairs...)...)
}
