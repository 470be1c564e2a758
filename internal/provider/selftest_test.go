package provider_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

func TestSelftestIsRecognised(t *testing.T) {
	t.Parallel()
	for _, spec := range all() {
		if spec.Secret == nil {
			continue // only its issuer can sign
		}
		t.Run(spec.Name, func(t *testing.T) {
			t.Parallel()
			key := someToken
			if spec.Scheme.CheckKey(key) != nil {
				key = svixKey
			}
			s := enabled(t, spec.Name, spec.EnabledBy, key, "AUTH0_LOGS_UNCONFIRMED", "true")
			for _, id := range provider.SelftestIDs() {
				require.Equal(t, deletion.SourceSelftest, s.selftest(t, id, id), id)
				require.Empty(t, s.selftest(t, id, id+"x"), "the mark is another deletion's")
			}
			for _, id := range []string{"user_1", "auth0|1", "706f6c61-7262-4000-8000-000000000000", "x-polar-bridge-selftest-1"} {
				require.Empty(t, s.selftest(t, id, id), "%s can be a user's", id)
			}
			header, body := s.sample(t, provider.SelftestIDs()[0], "evt_1")
			for _, claim := range []string{"", "00", "no hex"} {
				header.Set("Polar-Bridge-Selftest", claim)
				delivery, err := s.Receive(header, body)
				require.NoError(t, err)
				require.Empty(t, delivery.Deletions[0].Source, claim)
			}
		})
	}
}

// selftest is the source of the deletion of id that carries the mark of another one's.
func (s *sender) selftest(t *testing.T, marked, id string) deletion.Source {
	t.Helper()
	header, _, err := s.Selftest(s.secret, provider.Sample{ExternalID: marked, EventID: "evt_1", Time: time.Now()})
	require.NoError(t, err)
	signed, body := s.sample(t, id, "evt_1")
	signed.Set("Polar-Bridge-Selftest", header.Get("Polar-Bridge-Selftest"))
	delivery, err := s.Receive(signed, body)
	require.NoError(t, err)
	require.Len(t, delivery.Deletions, 1)
	require.Equal(t, id, delivery.Deletions[0].ExternalID)
	return delivery.Deletions[0].Source
}

// Each provider that can be asked about users finds an id of its own form.
func TestSelftestIDsHaveTheFormsOfUserIDs(t *testing.T) {
	t.Parallel()
	ids := provider.SelftestIDs()
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, ids[3])
	require.True(t, new(directory.Clerk).Source().OwnsID(ids[1]))
	require.True(t, directory.NewAuth0(directory.Auth0Options{}).Source().OwnsID(ids[2]))
	require.NotEqual(t, ids, provider.SelftestIDs())
}
