package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const clerkBody = `{"data":{"deleted":true,"id":"user_1","object":"user"},"object":"event","type":"user.deleted"}`

// signBody signs any body as Clerk would.
func signBody(t *testing.T, eventID, body string, at time.Time) delivery {
	t.Helper()
	header, err := signature.SvixHeader(signature.SvixHeaders(), clerkKey, eventID, at, []byte(body))
	require.NoError(t, err)
	return delivery{"clerk", header, []byte(body)}
}

func signedWith(t *testing.T, secret string) delivery {
	t.Helper()
	clerk, _ := everyProvider().Lookup("clerk")
	header, body, err := clerk.Sample(secret, provider.Sample{ExternalID: "user_1", EventID: "msg_forged", Time: time.Now()})
	require.NoError(t, err)
	return delivery{"clerk", header, body}
}

func (d delivery) with(name, value string) delivery {
	d.header = d.header.Clone()
	d.header.Set(name, value)
	return d
}

func auth0Delivery(token, body string) delivery {
	return delivery{"auth0", http.Header{"Authorization": {token}}, []byte(body)}
}

func TestWhatIsRefusedLeavesNoJobAndNoDELETE(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	env.addCustomers(1)
	p := env.start(t)
	now := time.Now()
	good := signBody(t, "msg_good", clerkBody, now)
	tampered := good
	tampered.body = []byte(strings.Replace(clerkBody, "user_1", "user_2", 1))
	huge := signBody(t, "msg_huge", clerkBody, now)
	huge.body = bytes.Repeat([]byte(" "), 10<<20)

	tests := []struct {
		name   string
		send   delivery
		status int
		code   string
	}{
		{"forged signature", signedWith(t, "whsec_Zm9yZ2VkLWZvcmdlZC1mb3JnZWQtZm9yZ2Vk"), 401, "unauthenticated"},
		{"tampered body", tampered, 401, "unauthenticated"},
		{"no signature", delivery{"clerk", http.Header{}, []byte(clerkBody)}, 401, "unauthenticated"},
		{"stale timestamp", signBody(t, "msg_stale", clerkBody, now.Add(-6*time.Minute)), 401, "unauthenticated"},
		{"future timestamp", signBody(t, "msg_future", clerkBody, now.Add(6*time.Minute)), 401, "unauthenticated"},
		{"empty body", delivery{"clerk", good.header, nil}, 401, "unauthenticated"},
		{"signed empty body", signBody(t, "msg_empty", "", now), 400, "malformed"},
		{"10 MiB body", huge, 413, "too_large"},
		{"gzip body", good.with("Content-Encoding", "gzip"), 415, "unsupported"},
		{"duplicate keys", signBody(t, "msg_twice", `{"type":"user.created","type":"user.deleted","data":{"object":"user","deleted":true,"id":"user_1"}}`, now), 400, "malformed"},
		{"trailing data", signBody(t, "msg_trail", clerkBody+"{}", now), 400, "malformed"},
		{"wrong type", signBody(t, "msg_type", `{"type":5,"data":{"object":"user","deleted":true,"id":"user_1"}}`, now), 400, "malformed"},
		{"wrong token", auth0Delivery("Bearer wrong-wrong-wrong-wrong", `{}`), 401, "unauthenticated"},
		{"no token", delivery{"auth0", http.Header{}, []byte(`{}`)}, 401, "unauthenticated"},
		{"unknown provider", delivery{"okta", good.header, good.body}, 404, "not_found"},
	}
	for _, tt := range tests {
		body := p.deliver(t, tt.send, tt.status)
		require.Contains(t, body, fmt.Sprintf(`{"error":%q,"request_id":`, tt.code), tt.name)
	}
	ignored := []delivery{
		signBody(t, "msg_folded", `{"TYPE":"user.deleted","data":{"object":"user","deleted":true,"id":"user_1"}}`, now),
		signBody(t, "msg_created", `{"type":"user.created","data":{"object":"user","id":"user_1"}}`, now),
		signBody(t, "msg_organization", `{"type":"user.deleted","data":{"object":"organization","deleted":true,"id":"user_1"}}`, now),
		signBody(t, "msg_not", `{"type":"user.deleted","data":{"object":"user","deleted":false,"id":"user_1"}}`, now),
		auth0Delivery("Bearer "+auth0Token, `{"type":"user.deleted","a0purpose":"test","id":"evt_1","data":{"object":{"user_id":"user_1"}}}`),
	}
	for _, d := range ignored {
		require.Contains(t, p.deliver(t, d, 200), `"status":"ignored"`)
	}
	// A later, genuine deletion proves that the queue ran all the while.
	env.polar.ClearFaults()
	p.deliver(t, sign(t, "auth0", "evt_after", "user_0000"), 202)
	env.waitDeleted(t, []string{"user_0000"}, 10*time.Second)
	require.Equal(t, 1, env.deletes())
	require.Equal(t, 2, env.calls(), "and one look before it")
	require.Zero(t, p.metric(t, `polar_bridge_deletions_pending{state="held"}`))
	require.NotContains(t, p.output(), "panic")
	p.noSecrets(t)
}

func TestUnusableIDsOfAuthenticEventsAreHeld(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	p := env.start(t)
	ids := map[string]string{
		"missing": ``, "integer": `"id":5,`, "null": `"id":null,`, "empty": `"id":"",`, "dots": `"id":"..",`, "NUL": `"id":"a\u0000b",`,
		"600 bytes": `"id":"` + strings.Repeat("x", 600) + `",`, "not UTF-8": "\"id\":\"a\xffb\",",
	}
	for name, id := range ids {
		body := `{"type":"user.deleted","data":{` + id + `"object":"user","deleted":true}}`
		d := signBody(t, "msg_"+strings.ReplaceAll(name, " ", "_"), body, time.Now())
		require.Contains(t, p.deliver(t, d, 202), `"accepted":1`, name)
		require.Contains(t, p.deliver(t, d, 200), `"duplicates":1`, name)
	}
	// An id with a slash is usable, but Polar cannot address it.
	p.deliver(t, sign(t, "auth0", "evt_slash", "samlp|a/members/b"), 202)
	p.waitMetric(t, `polar_bridge_deletions_pending{state="held"}`, float64(len(ids)+1), 20*time.Second)
	require.InDelta(t, len(ids), p.metric(t, `polar_bridge_deletions_held_total{provider="clerk",reason="unusable_id"}`), 0)
	require.InDelta(t, 1, p.metric(t, `polar_bridge_deletions_held_total{provider="auth0",reason="unaddressable"}`), 0)
	require.Zero(t, env.calls())
}

func TestABatchOfLogsIsJudgedItemByItem(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	ids := env.addCustomers(200)
	p := env.start(t)
	var batch strings.Builder
	for i, id := range ids {
		fmt.Fprintf(&batch, `{"log_id":"login_%d","data":{"type":"s","user_id":"user_living"}}`+"\n", i)
		fmt.Fprintf(&batch, `{"log_id":"log_%d","data":{"type":"sdu","user_id":%q,"date":"2026-11-03T03:25:28.923Z"}}`+"\n", i, id)
	}
	batch.WriteString(`{"log_id":"log_bad","data":{"type":"sdu","user_id":""}}` + "\n")
	d := delivery{"auth0-logs", http.Header{"Authorization": {logsToken}}, []byte(batch.String())}
	require.JSONEq(t, `{"status":"accepted","accepted":201,"duplicates":0,"ignored":200}`, p.deliver(t, d, 202))
	require.JSONEq(t, `{"status":"duplicate","accepted":0,"duplicates":201,"ignored":200}`, p.deliver(t, d, 200))
	env.waitDeleted(t, ids, 30*time.Second)
	require.Equal(t, len(ids), env.deletes())
}
