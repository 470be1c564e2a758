package supabase_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/identity/supabase"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	token = "supabase-marker-token-0123456789"
	other = "other-marker-token-0123456789ab"
)

func TestSupabase(t *testing.T) {
	t.Parallel()
	providertest.Run(t, harness())
}

func TestGoldenRequests(t *testing.T) {
	t.Parallel()
	providertest.Golden(t, harness(), "testdata")
}

func FuzzReceive(f *testing.F) { providertest.Fuzz(f, harness()) }

func FuzzUnsigned(f *testing.F) { providertest.FuzzUnsigned(f, harness()) }

func TestTheBodyIsWhatARepeatIsRecognisedBy(t *testing.T) {
	t.Parallel()
	p, err := supabase.New(provider.Settings{Secrets: func() []string { return []string{token} }})
	require.NoError(t, err)
	id := func(eventID, externalID string) string {
		header, body, err := supabase.Sample(token, provider.Sample{ExternalID: externalID, EventID: eventID, Time: time.Unix(1_800_000_000, 0)})
		require.NoError(t, err)
		d, err := p.Receive(header, body)
		require.NoError(t, err)
		require.Regexp(t, `^sha256:[0-9a-f]{64}$`, d.Deletions[0].EventID)
		require.Equal(t, d.EventID, d.Deletions[0].EventID)
		return d.EventID
	}
	first, repeat := id("a", "user_1"), id("a", "user_1")
	require.Equal(t, first, repeat)
	require.NotEqual(t, first, id("a", "user_2"), "two users never share an event")
	require.NotEqual(t, first, id("b", "user_1"))
}

func harness() providertest.Harness {
	form := signature.Bearer()
	return providertest.Harness{
		Info:           supabase.About(),
		New:            func(s provider.Settings) (provider.Provider, error) { return supabase.New(s) },
		Sample:         supabase.Sample,
		Secret:         token,
		Other:          other,
		Unusable:       []string{"0123456789abcde", " supabase-marker-token", "Bearer supabase-marker-token", "supabase-marker-tökén-012"},
		Token:          &form,
		IDMember:       "id",
		Body:           deletion,
		DerivedEventID: true,
		Untimed:        true,
		Ignored:        providertest.Cases(event.IgnoreOtherType, ignored()),
		Malformed:      providertest.Cases(fault.ReasonBadType, malformed()),
		Golden:         []string{"golden-marker-token-0123456789"},
	}
}

func deletion(members string) []byte {
	return []byte(`{"type":"DELETE","table":"users","schema":"auth","record":null,"old_record":{` + members + `}}`)
}

func ignored() map[string]string {
	return map[string]string{
		"a user was created":          `{"type":"INSERT","table":"users","schema":"auth","record":{"id":"a"},"old_record":null}`,
		"a user was marked deleted":   `{"type":"UPDATE","table":"users","schema":"auth","record":{"id":"a","deleted_at":"2026-01-01"},"old_record":{"id":"a"}}`,
		"a table of the same name":    `{"type":"DELETE","table":"users","schema":"public","record":null,"old_record":{"id":"a"}}`,
		"another table":               `{"type":"DELETE","table":"sessions","schema":"auth","record":null,"old_record":{"id":"a","user_id":"a"}}`,
		"type in other case":          `{"type":"delete","table":"users","schema":"auth","old_record":{"id":"a"}}`,
		"schema in other case":        `{"type":"DELETE","table":"users","schema":"AUTH","old_record":{"id":"a"}}`,
		"table in other case":         `{"type":"DELETE","table":"Users","schema":"auth","old_record":{"id":"a"}}`,
		"type under another name":     `{"Type":"DELETE","table":"users","schema":"auth","old_record":{"id":"a"}}`,
		"no type":                     `{"table":"users","schema":"auth","old_record":{"id":"a"}}`,
		"no schema":                   `{"type":"DELETE","table":"users","old_record":{"id":"a"}}`,
		"no table":                    `{"type":"DELETE","schema":"auth","old_record":{"id":"a"}}`,
		"the type that others send":   `{"type":"user.deleted","table":"users","schema":"auth","old_record":{"id":"a"}}`,
		"empty object":                `{}`,
		"a row that is not an object": `{"type":"TRUNCATE","table":"users","schema":"auth","old_record":[1]}`,
	}
}

func malformed() map[string]string {
	return map[string]string{
		"array":             `[]`,
		"string":            `"DELETE"`,
		"null":              `null`,
		"type is a number":  `{"type":5,"table":"users","schema":"auth","old_record":{"id":"a"}}`,
		"schema is a list":  `{"type":"DELETE","table":"users","schema":["auth"],"old_record":{"id":"a"}}`,
		"table is an empty": `{"type":"DELETE","table":{},"schema":"auth","old_record":{"id":"a"}}`,
	}
}

// Only the deleted row names the user: not the new row, and not who deleted.
func TestOnlyTheOldRowNamesTheUser(t *testing.T) {
	t.Parallel()
	p, err := supabase.New(provider.Settings{Secrets: func() []string { return []string{token} }})
	require.NoError(t, err)
	header, err := signature.Bearer().SignHeader(token)
	require.NoError(t, err)
	for _, row := range []string{`null`, `{}`, `"b"`, `[{"id":"b"}]`} {
		d, err := p.Receive(header, []byte(`{"type":"DELETE","table":"users","schema":"auth","id":"a","user_id":"a","record":{"id":"a"},"old_record":`+row+`}`))
		require.NoError(t, err)
		require.Len(t, d.Deletions, 1)
		require.Empty(t, d.Deletions[0].ExternalID)
		require.Equal(t, event.MissingID, d.Deletions[0].UnusableID)
	}
}
