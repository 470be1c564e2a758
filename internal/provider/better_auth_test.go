package provider_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBetterAuthIgnoresNobodyButAnonymousUsers(t *testing.T) {
	t.Parallel()
	s := enabled(t, "better-auth", "BETTER_AUTH_WEBHOOK_SECRET", svixKey)
	for _, anonymous := range []string{``, `,"isAnonymous":false`, `,"isAnonymous":null`, `,"IsAnonymous":true`} {
		d := s.only(t, `{"type":"user.deleted","data":{"id":"u"`+anonymous+`}}`)
		require.Equal(t, "u", d.ExternalID, anonymous)
	}
	require.Empty(t, s.receive(t, `{"type":"user.deleted","data":{"id":"u","isAnonymous":true}}`).Deletions)
	_, err := s.deliver(t, `{"type":"user.deleted","data":{"id":"u","isAnonymous":true,"isAnonymous":false}}`)
	require.Error(t, err, "which of them counts?")
}
