package provider_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

func TestSupabaseTheBodyIsWhatARepeatIsRecognisedBy(t *testing.T) {
	t.Parallel()
	p := enabled(t, "supabase", "SUPABASE_WEBHOOK_TOKEN", someToken)
	id := func(eventID, externalID string) string {
		header, body, err := p.Sample(someToken, provider.Sample{ExternalID: externalID, EventID: eventID, Time: time.Unix(1_800_000_000, 0)})
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

// Only the deleted row names the user: not the new row, and not who deleted.
func TestSupabaseOnlyTheOldRowNamesTheUser(t *testing.T) {
	t.Parallel()
	p := enabled(t, "supabase", "SUPABASE_WEBHOOK_TOKEN", someToken)
	for _, row := range []string{`null`, `{}`, `"b"`, `[{"id":"b"}]`} {
		d := p.receive(t, `{"type":"DELETE","table":"users","schema":"auth","id":"a","user_id":"a","record":{"id":"a"},"old_record":`+row+`}`)
		require.Len(t, d.Deletions, 1)
		require.Empty(t, d.Deletions[0].ExternalID)
		require.Equal(t, deletion.MissingID, d.Deletions[0].UnusableID)
	}
}
