package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// oktaCommon, but for the outcome and the target, is a deletion. Its actor is a user.
const (
	oktaCommon = `"uuid":"u0","eventType":"user.lifecycle.delete.initiated","actor":{"id":"admin","type":"User"}`
	oktaTarget = `"target":[{"id":"a","type":"User"}]`
)

func okta(t *testing.T) *sender {
	t.Helper()
	return enabled(t, "okta", "OKTA_WEBHOOK_TOKEN", someToken)
}

// judged is what became of an event: its id, its unusable id in brackets, or
// "ignored".
func judged(d deletion.Delivery) string {
	var all []string
	for _, one := range d.Deletions {
		if one.UnusableID != "" {
			all = append(all, "["+one.UnusableID+"]")
			continue
		}
		all = append(all, one.ExternalID)
	}
	for range d.Ignored {
		all = append(all, "ignored")
	}
	return strings.Join(all, " ")
}

func TestOktaOnlyTheOneUserInTheTargetIsDeleted(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		`[{"id":"a","type":"User"}]`: "a",
		`[{"id":"x","type":"AppInstance"},{"id":"a","type":"User"},{"id":"y","type":"AppUser"}]`: "a",
		`[{"id":"a","type":"User"},{"id":"b","type":"User"}]`:                                    `["2 users: a b"]`,
		`[{"id":"a","type":"User"},{"id":"a","type":"User"}]`:                                    `["2 users: a a"]`,
		`[{"id":"a","type":"User"},{"type":"User"}]`:                                             `["2 users: a "]`,
		`[{"id":"x","type":"AppUser"}]`:                                                          "[(missing)]",
		`[{"id":"x","type":"user"}]`:                                                             "[(missing)]",
		`[{"id":"x","Type":"User"}]`:                                                             "[(missing)]",
		`[{"id":"x","type":["User"]}]`:                                                           "[(missing)]",
		`[]`:                                                                                     "[(missing)]",
		`null`:                                                                                   "[(missing)]",
		`{"id":"a","type":"User"}`:                                                               "[(missing)]",
		`["a"]`:                                                                                  "[(missing)]",
		`[null,{"id":"a","type":"User"}]`:                                                        "a",
	} {
		require.Equal(t, want, judged(okta(t).receive(t, oktaEvents(`{`+oktaCommon+`,"outcome":{"result":"SUCCESS"},"target":`+target+`}`))), target)
	}
}

func TestOktaTheOutcomeDecides(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[string]string{
		`{"result":"SUCCESS"}`:             "a",
		`{"result":"SUCCESS","reason":""}`: "a",
		`{"result":"FAILURE"}`:             "ignored",
		`{"result":"SKIPPED"}`:             "ignored",
		`{"result":"UNKNOWN"}`:             "ignored",
		`{"result":"success"}`:             "ignored",
		// It may have gone well: somebody has to look.
		`{}`:                     `["a"]`,
		`{"Result":"SUCCESS"}`:   `["a"]`,
		`{"result":true}`:        `["a"]`,
		`{"result":null}`:        `["a"]`,
		`{"result":["SUCCESS"]}`: `["a"]`,
		`"SUCCESS"`:              `["a"]`,
		`null`:                   `["a"]`,
	} {
		require.Equal(t, want, judged(okta(t).receive(t, oktaEvents(`{`+oktaCommon+`,`+oktaTarget+`,"outcome":`+outcome+`}`))), outcome)
	}
	require.Equal(t, `["a"]`, judged(okta(t).receive(t, oktaEvents(`{`+oktaCommon+`,`+oktaTarget+`}`))))
}

func TestOktaEachEventIsJudgedAlone(t *testing.T) {
	t.Parallel()
	good := `{` + oktaCommon + `,` + oktaTarget + `,"outcome":{"result":"SUCCESS"}}`
	numbered := func(n int, e string) string { return strings.Replace(e, `"u0"`, fmt.Sprintf(`"u%d"`, n), 1) }
	d := okta(t).receive(t, oktaEvents(
		numbered(1, good),
		`{"eventType":"user.session.start","uuid":"u2","outcome":{"result":"SUCCESS"},"target":[{"id":"b","type":"User"}]}`,
		`{"eventType":"user.lifecycle.deactivate","uuid":"u3","outcome":{"result":"SUCCESS"},"target":[{"id":"b","type":"User"}]}`,
		`{"eventType":"user.lifecycle.delete.completed","uuid":"u4","outcome":{"result":"SUCCESS"},"target":[{"id":"b","type":"User"}]}`,
		`"user.lifecycle.delete.initiated"`, `null`, `[]`, `5`,
		strings.Replace(numbered(5, good), `"a"`, "\"a\xff\"", 1),
		strings.Replace(numbered(6, good), `"actor"`, "\"note\":\"\xff\",\"actor\"", 1),
		strings.Replace(good, `"u0"`, `"u7","uuid":"u8"`, 1),
		strings.Replace(numbered(9, good), `"a"`, `"z"`, 1),
	))
	require.Equal(t, `a ["a\xff"] a [(unreadable event)] z`+strings.Repeat(" ignored", 7), judged(d))
	require.Equal(t, deletion.IgnoreOtherType, d.IgnoreReason)
	var ids []string
	for _, one := range d.Deletions {
		ids = append(ids, one.EventID[:min(len(one.EventID), 7)])
		require.Equal(t, one.ExternalID, one.UserID)
	}
	require.Equal(t, []string{"u1", "u5", "u6", "sha256:", "u9"}, ids)
}

// Okta repeats with the same uuid, maybe together with other events.
func TestOktaTheInnerUUIDIsTheEventsID(t *testing.T) {
	t.Parallel()
	e := `{` + oktaCommon + `,` + oktaTarget + `,"outcome":{"result":"SUCCESS"}}`
	d := okta(t).receive(t, `{"eventId":"outer","data":{"events":[`+e+`]}}`)
	require.Equal(t, "outer", d.EventID)
	require.Equal(t, "u0", d.Deletions[0].EventID)

	without := strings.Replace(e, `"uuid":"u0",`, "", 1)
	first, second := okta(t).receive(t, `{"eventId":"1","data":{"events":[`+without+`]}}`), okta(t).receive(t, oktaEvents(without))
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, first.Deletions[0].EventID)
	require.Equal(t, first.Deletions[0].EventID, second.Deletions[0].EventID)
}

func TestOktaARequestWithoutEvents(t *testing.T) {
	t.Parallel()
	d := okta(t).receive(t, oktaEvents())
	require.Empty(t, d.Deletions)
	require.Zero(t, d.Ignored)
	require.Empty(t, d.IgnoreReason)
}

func TestOktaTooManyUnreadableEventsAreABrokenRequest(t *testing.T) {
	t.Parallel()
	broken := make([]string, 101)
	for i := range broken {
		broken[i] = `{"uuid":1,"uuid":2}`
	}
	require.Len(t, okta(t).receive(t, oktaEvents(broken[:100]...)).Deletions, 100)
	_, err := okta(t).deliver(t, oktaEvents(broken...))
	require.Equal(t, fault.Malformed, fault.KindOf(err))
}

func oktaEvents(all ...string) string {
	return `{"eventType":"com.okta.event_hook","eventId":"outer","data":{"events":[` + strings.Join(all, ",") + `]}}`
}

func TestOktaIsAcknowledgedWithoutABody(t *testing.T) {
	t.Parallel()
	require.True(t, okta(t).AcknowledgeEmpty)
}

func TestOktaTheChallengeComesBack(t *testing.T) {
	t.Parallel()
	p := okta(t)
	for value, want := range map[string]string{
		"Me_rShK8JHsTnbyYrWXCEoMGbM_zsZ6k0hLPZ_Pg": `{"verification":"Me_rShK8JHsTnbyYrWXCEoMGbM_zsZ6k0hLPZ_Pg"}`,
		`a"}b\`:                   `{"verification":"a\"}b\\"}`,
		" ~":                      `{"verification":" ~"}`, // the first and the last that print
		"<script>":                `{"verification":"\u003cscript\u003e"}`,
		strings.Repeat("a", 1024): `{"verification":"` + strings.Repeat("a", 1024) + `"}`,
	} {
		body, err := p.Challenge(http.Header{"Authorization": {someToken}, "X-Okta-Verification-Challenge": {value}})
		require.NoError(t, err)
		require.Equal(t, want, string(body))
	}
}

func TestOktaAChallengeIsRefused(t *testing.T) {
	t.Parallel()
	p := okta(t)
	const name = "X-Okta-Verification-Challenge"
	tests := map[string]struct {
		header http.Header
		kind   fault.Kind
		reason fault.Reason
	}{
		"no token":          {http.Header{name: {"a"}}, fault.Unauthenticated, fault.ReasonMissingHeader},
		"a wrong token":     {http.Header{name: {"a"}, "Authorization": {"other-marker-token-0123456789ab"}}, fault.Unauthenticated, fault.ReasonBadToken},
		"two tokens":        {http.Header{name: {"a"}, "Authorization": {someToken, someToken}}, fault.Unauthenticated, fault.ReasonRepeatedHeader},
		"nothing at all":    {http.Header{}, fault.Unauthenticated, fault.ReasonMissingHeader},
		"no challenge":      {http.Header{"Authorization": {someToken}}, fault.Malformed, fault.ReasonBadHeader},
		"an empty one":      {http.Header{name: {""}, "Authorization": {someToken}}, fault.Malformed, fault.ReasonBadHeader},
		"two challenges":    {http.Header{name: {"a", "a"}, "Authorization": {someToken}}, fault.Malformed, fault.ReasonBadHeader},
		"one that is long":  {http.Header{name: {strings.Repeat("a", 1025)}, "Authorization": {someToken}}, fault.Malformed, fault.ReasonBadHeader},
		"a tab":             {http.Header{name: {"a\tb"}, "Authorization": {someToken}}, fault.Malformed, fault.ReasonBadHeader},
		"a line break":      {http.Header{name: {"a\nb"}, "Authorization": {someToken}}, fault.Malformed, fault.ReasonBadHeader},
		"a delete":          {http.Header{name: {"a\x7f"}, "Authorization": {someToken}}, fault.Malformed, fault.ReasonBadHeader},
		"bytes beyond 7bit": {http.Header{name: {"a\xff"}, "Authorization": {someToken}}, fault.Malformed, fault.ReasonBadHeader},
	}
	for name, tt := range tests {
		body, err := p.Challenge(tt.header)
		require.Empty(t, body, name)
		require.Equal(t, tt.kind, fault.KindOf(err), name)
		require.Equal(t, tt.reason, fault.ReasonOf(err), name)
		require.NotContains(t, err.Error(), someToken)
	}
}
