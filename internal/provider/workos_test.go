package provider_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

func TestWorkOSTheActorIsNotTheUser(t *testing.T) {
	t.Parallel()
	for members, want := range map[string]string{
		`"id":"user_1"`: "user_1",
		``:              "", // held, not taken from the actor
		`"id":null`:     "",
	} {
		d := workOS(t).only(t, workOSEvent(members))
		require.Equal(t, want, d.ExternalID)
		require.Equal(t, want == "", d.UnusableID != "")
	}
	d := workOS(t, "WORKOS_ID_FIELD", "external_id").only(t, workOSEvent(`"external_id":"e","id":"user_1"`))
	require.Equal(t, "e", d.ExternalID)
	require.Equal(t, "user_1", d.UserID)
}

func TestWorkOSAnEventWithoutAUsableIDIsKnownByItsBody(t *testing.T) {
	t.Parallel()
	for _, id := range []string{`null`, `5`, `""`, `{}`} {
		d := workOS(t).only(t, `{"id":`+id+`,"event":"user.deleted","data":{"id":"a"}}`)
		require.Regexp(t, `^sha256:[0-9a-f]{64}$`, d.EventID)
	}
	require.Equal(t, "event_1", workOS(t).only(t, workOSEvent(`"id":"a"`)).EventID)
}

func workOSEvent(members string) string {
	return `{"object":"event","id":"event_1","event":"user.deleted","data":{` + members +
		`},"created_at":"2026-11-23T12:00:00.000Z","context":{"actor":{"id":"user_actor","external_id":"actor","source":"api"}}}`
}

func workOS(t *testing.T, pairs ...string) *sender {
	t.Helper()
	return enabled(t, "workos", append([]string{"WORKOS_WEBHOOK_SECRET", textKey}, pairs...)...)
}

func TestWorkOSAnOrganizationsOwnIDCountsWhateverTheFieldOfUsers(t *testing.T) {
	t.Parallel()
	p := workOS(t, "WORKOS_ID_FIELD", "external_id", "WORKOS_EVENTS", "user.deleted,organization.deleted")
	d := p.only(t, `{"id":"event_1","event":"organization.deleted","data":{"object":"organization","id":"org_1","external_id":"5"}}`)
	require.Equal(t, deletion.ObjectOrganization, d.Object)
	require.Equal(t, "org_1", d.ExternalID)
	require.Empty(t, d.UserID)
}
