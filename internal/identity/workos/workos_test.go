package workos_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/identity/workos"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
)

var _ handlers.Acknowledger = (*workos.Provider)(nil)

func TestWorkOS(t *testing.T) {
	t.Parallel()
	providertest.Run(t, harness())
}

func TestWorkOSWithExternalID(t *testing.T) {
	t.Parallel()
	providertest.Run(t, externalHarness())
}

func TestWorkOSWithDirectorySync(t *testing.T) {
	t.Parallel()
	h := directoryHarness()
	h.UnusableIDFields = append(h.UnusableIDFields, "external_id")
	providertest.Run(t, h)
}

// The requests are signed by npm @workos-inc/node; see scripts/golden.
func TestGoldenRequestsOfTheOfficialSigner(t *testing.T) {
	t.Parallel()
	providertest.Golden(t, harness(), "testdata")
}

func TestGoldenRequestsOfTheOfficialSignerForDirectories(t *testing.T) {
	t.Parallel()
	providertest.Golden(t, directoryHarness(), "testdata/directory")
}

func FuzzReceive(f *testing.F)         { providertest.Fuzz(f, harness()) }
func FuzzReceiveExternal(f *testing.F) { providertest.Fuzz(f, externalHarness()) }
func FuzzUnsigned(f *testing.F)        { providertest.FuzzUnsigned(f, harness()) }

func TestWorkOSWantsStatus200(t *testing.T) {
	t.Parallel()
	p, err := workos.New(settings())
	require.NoError(t, err)
	for _, receipt := range []event.Receipt{{}, {Accepted: 1}, {Duplicates: 1}, {Held: 1}} {
		status, answer := p.Acknowledge(receipt)
		require.Equal(t, http.StatusOK, status)
		require.Empty(t, answer)
	}
}

func TestTheActorIsNotTheUser(t *testing.T) {
	t.Parallel()
	for members, want := range map[string]string{
		`"id":"user_1"`: "user_1",
		``:              "", // held, not taken from the actor
		`"id":null`:     "",
	} {
		d := receive(t, settings(), string(body("user.deleted", "")(members)))
		require.Equal(t, want, d.ExternalID)
		require.Equal(t, want == "", d.UnusableID != "")
	}
	s := settings()
	s.IDField = "external_id"
	d := receive(t, s, string(body("user.deleted", `,"id":"user_1"`)(`"external_id":"e"`)))
	require.Equal(t, "e", d.ExternalID)
	require.Equal(t, "user_1", d.UserID)
}

func TestDirectoryUsersHaveNoExternalID(t *testing.T) {
	t.Parallel()
	s := settings()
	s.DirectorySync, s.IDField = true, "external_id"
	_, err := workos.New(s)
	require.ErrorContains(t, err, "WORKOS_DIRECTORY_SYNC needs WORKOS_ID_FIELD=id")
}

func TestAnEventWithoutAUsableIDIsKnownByItsBody(t *testing.T) {
	t.Parallel()
	for _, id := range []string{`null`, `5`, `""`, `{}`} {
		d := receive(t, settings(), `{"id":`+id+`,"event":"user.deleted","data":{"id":"a"}}`)
		require.Regexp(t, `^sha256:[0-9a-f]{64}$`, d.EventID)
	}
	require.Equal(t, "event_1", receive(t, settings(), string(body("user.deleted", "")(`"id":"a"`))).EventID)
}

func settings() provider.Settings {
	return provider.Settings{Secrets: func() []string { return []string{secret} }}
}

// receive returns the only deletion in an authentic body.
func receive(t *testing.T, s provider.Settings, text string) event.Deletion {
	t.Helper()
	p, err := workos.New(s)
	require.NoError(t, err)
	header, raw, err := signed(text, time.Now())
	require.NoError(t, err)
	return providertest.Only(t, p, header, raw)
}
