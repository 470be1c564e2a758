package okta_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/okta"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	token = "okta-marker-token-0123456789abcdef"
	other = "other-marker-token-0123456789ab"
)

func TestOkta(t *testing.T) {
	t.Parallel()
	providertest.Run(t, harness())
}

func TestGoldenRequests(t *testing.T) {
	t.Parallel()
	providertest.Golden(t, harness(), "testdata")
}

func FuzzReceive(f *testing.F) { providertest.Fuzz(f, harness()) }

func FuzzUnsigned(f *testing.F) { providertest.FuzzUnsigned(f, harness()) }

// judged is what became of an event: its id, its unusable id in brackets, or
// "ignored".
func judged(d event.Delivery) string {
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

func TestOnlyTheOneUserInTheTargetIsDeleted(t *testing.T) {
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
		require.Equal(t, want, judged(receive(t, events(`{`+common+`,"outcome":{"result":"SUCCESS"},"target":`+target+`}`))), target)
	}
}

func TestTheOutcomeDecides(t *testing.T) {
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
		require.Equal(t, want, judged(receive(t, events(`{`+common+`,`+target+`,"outcome":`+outcome+`}`))), outcome)
	}
	require.Equal(t, `["a"]`, judged(receive(t, events(`{`+common+`,`+target+`}`))))
}

func TestEachEventIsJudgedAlone(t *testing.T) {
	t.Parallel()
	good := `{` + common + `,` + target + `,"outcome":{"result":"SUCCESS"}}`
	numbered := func(n int, e string) string { return strings.Replace(e, `"u0"`, fmt.Sprintf(`"u%d"`, n), 1) }
	d := receive(t, events(
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
	require.Equal(t, event.IgnoreOtherType, d.IgnoreReason)
	var ids []string
	for _, one := range d.Deletions {
		ids = append(ids, one.EventID[:min(len(one.EventID), 7)])
		require.Equal(t, one.ExternalID, one.UserID)
	}
	require.Equal(t, []string{"u1", "u5", "u6", "sha256:", "u9"}, ids)
}

// Okta repeats with the same uuid, maybe together with other events.
func TestTheInnerUUIDIsTheEventsID(t *testing.T) {
	t.Parallel()
	e := `{` + common + `,` + target + `,"outcome":{"result":"SUCCESS"}}`
	d := receive(t, []byte(`{"eventId":"outer","data":{"events":[`+e+`]}}`))
	require.Equal(t, "outer", d.EventID)
	require.Equal(t, "u0", d.Deletions[0].EventID)

	without := strings.Replace(e, `"uuid":"u0",`, "", 1)
	first, second := receive(t, []byte(`{"eventId":"1","data":{"events":[`+without+`]}}`)), receive(t, events(without))
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, first.Deletions[0].EventID)
	require.Equal(t, first.Deletions[0].EventID, second.Deletions[0].EventID)
}

func TestARequestWithoutEvents(t *testing.T) {
	t.Parallel()
	d := receive(t, events())
	require.Empty(t, d.Deletions)
	require.Zero(t, d.Ignored)
	require.Empty(t, d.IgnoreReason)
}

func TestTooManyUnreadableEventsAreABrokenRequest(t *testing.T) {
	t.Parallel()
	broken := make([]string, 101)
	for i := range broken {
		broken[i] = `{"uuid":1,"uuid":2}`
	}
	require.Len(t, receive(t, events(broken[:100]...)).Deletions, 100)
	p := newProvider(t)
	_, err := p.Receive(http.Header{"Authorization": {token}}, events(broken...))
	require.Equal(t, fault.Malformed, fault.KindOf(err))
}

// common, but for the outcome and the target, is a deletion. Its actor is a user.
const (
	common = `"uuid":"u0","eventType":"user.lifecycle.delete.initiated","actor":{"id":"admin","type":"User"}`
	target = `"target":[{"id":"a","type":"User"}]`
)

func events(all ...string) []byte {
	return []byte(`{"eventType":"com.okta.event_hook","eventId":"outer","data":{"events":[` + strings.Join(all, ",") + `]}}`)
}

func receive(t *testing.T, body []byte) event.Delivery {
	t.Helper()
	d, err := newProvider(t).Receive(http.Header{"Authorization": {token}}, body)
	require.NoError(t, err)
	return d
}

func newProvider(t *testing.T) *okta.Provider {
	t.Helper()
	p, err := okta.New(provider.Settings{Secrets: func() []string { return []string{token} }, Now: time.Now})
	require.NoError(t, err)
	return p
}

func harness() providertest.Harness {
	form := signature.Verbatim()
	return providertest.Harness{
		Info:     okta.About(),
		New:      func(s provider.Settings) (provider.Provider, error) { return okta.New(s) },
		Sample:   okta.Sample,
		Secret:   token,
		Other:    other,
		Unusable: []string{"0123456789abcde", " okta-marker-token-012", "okta-marker-tökén-012", "okta-marker\n-token-012"},
		Token:    &form,
		IDMember: "id",
		Body: func(members string) []byte {
			if members != "" {
				members = "," + members
			}
			return events(`{` + common + `,"outcome":{"result":"SUCCESS"},"target":[{"type":"User"` + members + `}]}`)
		},
		Batch:     true,
		Ignored:   providertest.Cases(event.IgnoreOtherType, ignored()),
		Malformed: providertest.Cases(fault.ReasonBadType, malformed()),
		Golden:    []string{"golden-marker-token-0123456789"},
	}
}

func ignored() map[string]string {
	of := func(eventType string) string {
		return string(events(`{"uuid":"u","eventType":"` + eventType + `","outcome":{"result":"SUCCESS"},` + target + `}`))
	}
	return map[string]string{
		"a login":                   of("user.session.start"),
		"a deactivation":            of("user.lifecycle.deactivate"),
		"a suspension":              of("user.lifecycle.suspend"),
		"a completed deletion":      of("user.lifecycle.delete.completed"),
		"a neighbouring type":       of("user.lifecycle.delete"),
		"a longer type":             of("user.lifecycle.delete.initiated.x"),
		"type in other case":        of("User.Lifecycle.Delete.Initiated"),
		"a group's deletion":        of("group.lifecycle.delete"),
		"no type":                   string(events(`{"uuid":"u","outcome":{"result":"SUCCESS"},` + target + `}`)),
		"type under another name":   string(events(`{"EventType":"user.lifecycle.delete.initiated","outcome":{"result":"SUCCESS"},` + target + `}`)),
		"type is a number":          string(events(`{"eventType":5,"outcome":{"result":"SUCCESS"},` + target + `}`)),
		"a failed deletion":         string(events(`{` + common + `,"outcome":{"result":"FAILURE","reason":"x"},` + target + `}`)),
		"an event that is a string": string(events(`"user.lifecycle.delete.initiated"`)),
	}
}

func malformed() map[string]string {
	return map[string]string{
		"array":                     `[]`,
		"string":                    `"user"`,
		"null":                      `null`,
		"empty object":              `{}`,
		"no events":                 `{"data":{}}`,
		"events under another name": `{"data":{"Events":[]}}`,
		"events elsewhere":          `{"events":[]}`,
		"events are an object":      `{"data":{"events":{}}}`,
		"events are null":           `{"data":{"events":null}}`,
		"data is an array":          `{"data":[{"events":[]}]}`,
	}
}
