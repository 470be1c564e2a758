package provider_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

func TestUnbrandedHeadersAreNotClerks(t *testing.T) {
	t.Parallel()
	p := clerk(t)
	header, err := signature.SvixHeader(signature.StandardHeaders(), svixKey, "msg_1", time.Now(), []byte(`{"type":"ping","data":{}}`))
	require.NoError(t, err)
	require.Equal(t, fault.ReasonMissingHeader, fault.ReasonOf(p.Scheme.CheckHeader(header)))
}

func TestClerkLongMessageIDsAreDigested(t *testing.T) {
	t.Parallel()
	p := clerk(t)
	long := "msg_" + strings.Repeat("a", 250)
	header, body := p.sample(t, "user_1", long)
	d, err := p.Receive(header, body)
	require.NoError(t, err)
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, d.Deletions[0].EventID)
}

func TestClerkUserIDIsKeptBesideTheExternalID(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{`"user_1"`: "user_1", `5`: "", `".."`: "", `null`: ""} {
		d := clerk(t, "CLERK_ID_FIELD", "external_id").only(t, `{"type":"user.deleted","data":{"object":"user","deleted":true,"external_id":"e","id":`+raw+`}}`)
		require.Equal(t, "e", d.ExternalID)
		require.Equal(t, want, d.UserID)
	}
}

func clerk(t *testing.T, pairs ...string) *sender {
	t.Helper()
	return enabled(t, "clerk", append([]string{"CLERK_WEBHOOK_SIGNING_SECRET", svixKey}, pairs...)...)
}

func TestClerkAnOrganizationHasNoOtherIDThanClerks(t *testing.T) {
	t.Parallel()
	p := clerk(t, "CLERK_ID_FIELD", "external_id", "CLERK_EVENTS", "user.deleted,organization.deleted", "CLERK_INSTANCE_ID", "ins_1")
	d := p.only(t, `{"type":"organization.deleted","instance_id":"ins_1","data":{"object":"organization","deleted":true,"external_id":"e","id":"org_1"}}`)
	require.Equal(t, deletion.ObjectOrganization, d.Object)
	require.Equal(t, "org_1", d.ExternalID)
	require.Empty(t, d.UserID)
	require.Equal(t, "ins_1", d.Instance)
	require.Empty(t, p.only(t, `{"type":"user.deleted","instance_id":"ins_1","data":{"object":"user","deleted":true,"external_id":"e","id":"user_1"}}`).Object)
}
