package auth0_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/auth0"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	secret = "auth0-marker-token-0123456789abcdef"
	other  = "other-marker-token-0123456789abcdef"
)

func TestAuth0(t *testing.T) {
	t.Parallel()
	providertest.Run(t, harness())
}

func TestAuth0WithAppMetadata(t *testing.T) {
	t.Parallel()
	providertest.Run(t, metadataHarness())
}

func TestAuth0WithADeepPointer(t *testing.T) {
	t.Parallel()
	h := metadataHarness()
	h.IDField = "/data/object/app_metadata/a~1b/polar"
	h.IDMember = "polar"
	h.Body = body(`{"user_id":"auth0|1","app_metadata":{"a/b":{`, `}}}`)
	providertest.Run(t, h)
}

func TestAuth0OfOneStream(t *testing.T) {
	t.Parallel()
	h := harness()
	h.Source = "est_vjFVP5pVdfvsfRKatshkVV"
	providertest.Run(t, h)
}

func TestGoldenRequests(t *testing.T) {
	t.Parallel()
	providertest.Golden(t, harness(), "testdata")
}

func FuzzReceive(f *testing.F)         { providertest.Fuzz(f, harness()) }
func FuzzReceiveMetadata(f *testing.F) { providertest.Fuzz(f, metadataHarness()) }
func FuzzUnsigned(f *testing.F)        { providertest.FuzzUnsigned(f, harness()) }

func TestTheSubjectIsTaken(t *testing.T) {
	t.Parallel()
	d := receive(t, "", `{"type":"user.deleted","id":"evt_1","data":{
		"object":{"user_id":"auth0|subject","identities":[{"user_id":5},{"user_id":"a"}],"email":"x@example.com"},
		"previous_object":{"user_id":"auth0|previous"},
		"context":{"client":{"id":"auth0|client"},"actor":{"user_id":"auth0|actor"}}}}`)
	require.Equal(t, "auth0|subject", d.ExternalID)
	require.Equal(t, "auth0|subject", d.UserID)
	require.Equal(t, "evt_1", d.EventID)
}

func TestUserIDIsKeptBesideTheMetadata(t *testing.T) {
	t.Parallel()
	d := receive(t, "/data/object/app_metadata/polar",
		`{"type":"user.deleted","data":{"object":{"user_id":"auth0|1","app_metadata":{"polar":"p"}}}}`)
	require.Equal(t, "p", d.ExternalID)
	require.Equal(t, "auth0|1", d.UserID)
}

func TestArrayElementsInMetadata(t *testing.T) {
	t.Parallel()
	d := receive(t, "/data/object/app_metadata/ids/1",
		`{"type":"user.deleted","data":{"object":{"app_metadata":{"ids":["a","b"]}}}}`)
	require.Equal(t, "b", d.ExternalID)
}

// The event's time and the user's deletion say the same; either may be missing.
func TestTheDeletedUserTellsTheTimeToo(t *testing.T) {
	t.Parallel()
	for _, event := range []string{
		`{"type":"user.deleted","data":{"object":{"user_id":"a","deleted_at":"2026-08-01T09:30:00Z"}}}`,
		`{"type":"user.deleted","time":null,"data":{"object":{"user_id":"a","deleted_at":"2026-08-01T09:30:00Z"}}}`,
		`{"type":"user.deleted","time":"2026-08-01T09:30:00Z","data":{"object":{"user_id":"a","deleted_at":{}}}}`,
		`{"type":"user.deleted","time":"2026-08-01T09:31:00Z","data":{"object":{"user_id":"a","deleted_at":"2026-08-01T09:30:00Z"}}}`,
	} {
		require.Equal(t, time.Date(2026, 8, 1, 9, 30, 0, 0, time.UTC), receive(t, "", event).OccurredAt, event)
	}
}

func TestEventIDs(t *testing.T) {
	t.Parallel()
	const rest = `"type":"user.deleted","data":{"object":{"user_id":"a"}}}`
	missing := receive(t, "", `{`+rest)
	empty := receive(t, "", `{"id":"",`+rest)
	odd := receive(t, "", `{"id":"é",`+rest)
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, missing.EventID)
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, empty.EventID)
	require.Equal(t, "sha256:4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c", odd.EventID)
	require.NotEqual(t, missing.EventID, empty.EventID)
	require.Equal(t, missing, receive(t, "", `{`+rest), "the same body has the same key")
}

func harness() providertest.Harness {
	form := signature.Bearer()
	return providertest.Harness{
		Info:     auth0.About(),
		New:      func(s provider.Settings) (provider.Provider, error) { return auth0.New(s) },
		Sample:   auth0.Sample,
		Secret:   secret,
		Other:    other,
		Unusable: []string{"short-marker", "  padded-marker-token-012345 ", "Bearer marker-token-0123456789", "line\nmarker-token-0123456789", "märker-token-0123456789"},
		UnusableIDFields: []string{
			"user_id", "/data/object/email", "/data/object/user_metadata/id", "/data/object/app_metadata", "/data/object/app_metadata/",
			"/data/object/app_metadata/~2", "/data/object/app_metadata_/x", "/data/previous_object/user_id", "/id",
		},
		Token:     &form,
		IDMember:  "user_id",
		Body:      body(`{`, `}`),
		Ignored:   ignored(),
		Malformed: malformed(),
		Golden:    []string{secret},
	}
}

func metadataHarness() providertest.Harness {
	h := harness()
	h.IDField = "/data/object/app_metadata/polar_id"
	h.IDMember = "polar_id"
	h.OptionalID = true
	h.Body = body(`{"user_id":"auth0|1","app_metadata":{`, `}}`)
	h.Ignored = append(h.Ignored, providertest.Cases(event.IgnoreNoExternalID, map[string]string{
		"no metadata":            `{"type":"user.deleted","data":{"object":{"user_id":"a"}}}`,
		"metadata is null":       `{"type":"user.deleted","data":{"object":{"user_id":"a","app_metadata":null}}}`,
		"metadata is a string":   `{"type":"user.deleted","data":{"object":{"user_id":"a","app_metadata":"polar_id"}}}`,
		"the user's own metdata": `{"type":"user.deleted","data":{"object":{"user_id":"a","user_metadata":{"polar_id":"b"}}}}`,
	})...)
	return h
}

func body(before, after string) func(string) []byte {
	return func(members string) []byte {
		return []byte(`{"type":"user.deleted","id":"evt_1","a0stream":"est_vjFVP5pVdfvsfRKatshkVV","data":{"object":` + before + members + after + `}}`)
	}
}

func ignored() []providertest.Case {
	const user = `"data":{"object":{"user_id":"a"}}}`
	cases := providertest.Cases(event.IgnoreOtherType, map[string]string{
		"another type":          `{"type":"user.updated",` + user,
		"the documented prefix": `{"type":"com.auth0.user.deleted",` + user,
		"type in other case":    `{"type":"user.Deleted",` + user,
		"no type":               `{` + user,
		"another type's data":   `{"type":"organization.deleted","data":[]}`,
		"a test of another":     `{"type":"user.created","a0purpose":"test",` + user,
	})
	cases = append(cases, providertest.Cases(event.IgnoreTestEvent, map[string]string{
		"a test event": `{"type":"user.deleted","a0purpose":"test",` + user,
	})...)
	streams := providertest.Cases(event.IgnoreOtherInstance, map[string]string{
		"another stream": `{"type":"user.deleted","a0stream":"est_2",` + user,
		"no stream":      `{"type":"user.deleted",` + user,
	})
	for i := range streams {
		streams[i].Source = "est_1"
	}
	return append(cases, streams...)
}

func malformed() []providertest.Case {
	return providertest.Cases(fault.ReasonBadType, map[string]string{
		"array":            `[]`,
		"null":             `null`,
		"integer type":     `{"type":5}`,
		"data is a string": `{"type":"user.deleted","a0stream":"est_vjFVP5pVdfvsfRKatshkVV","data":"{\"object\":{}}"}`,
		"object is a list": `{"type":"user.deleted","a0stream":"est_vjFVP5pVdfvsfRKatshkVV","data":{"object":[]}}`,
		"purpose is true":  `{"type":"user.deleted","a0purpose":true}`,
	})
}

// receive returns the only deletion in an authentic body.
func receive(t *testing.T, idField, body string) event.Deletion {
	t.Helper()
	p, err := auth0.New(provider.Settings{
		Secrets: func() []string { return []string{secret} },
		Now:     func() time.Time { return time.Unix(1_800_000_000, 0) },
		IDField: idField,
	})
	require.NoError(t, err)
	header, err := signature.Bearer().SignHeader(secret)
	require.NoError(t, err)
	return providertest.Only(t, p, header, []byte(body))
}
