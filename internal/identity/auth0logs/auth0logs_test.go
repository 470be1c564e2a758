package auth0logs_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/auth0logs"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	secret = "logs-marker-token-0123456789abcdef"
	other  = "Bearer other-marker-token-01234567" // verbatim tokens may hold a scheme
	sdu    = `{"log_id":"1","data":{"type":"sdu","user_id":"auth0|1"}}`
	sapi   = `{"log_id":"2","data":{"type":"sapi","user_id":"auth0|actor"}}`
)

func TestAuth0Logs(t *testing.T) {
	t.Parallel()
	providertest.Run(t, harness())
}

func TestGoldenRequests(t *testing.T) {
	t.Parallel()
	providertest.Golden(t, harness(), "testdata")
}

func FuzzReceive(f *testing.F)  { providertest.Fuzz(f, harness()) }
func FuzzUnsigned(f *testing.F) { providertest.FuzzUnsigned(f, harness()) }

func TestEveryLayoutSaysTheSame(t *testing.T) {
	t.Parallel()
	want := receive(t, sdu+"\n"+sapi)
	require.Len(t, want.Deletions, 1)
	require.Equal(t, 1, want.Ignored)
	for _, body := range []string{
		sdu + "\r\n" + sapi + "\r\n", "\n\n" + sdu + "\n \n" + sapi + "\n\n", " [" + sdu + "," + sapi + "] ",
		`{"logs":[` + sdu + ",\n" + sapi + `]}`, `{"next":null,"logs" : [ ` + sdu + `,` + sapi + `],"n":2,"n":"\ud800"}` + "\n",
	} {
		require.Equal(t, want, receive(t, body), body)
	}
	pretty := receive(t, strings.ReplaceAll(sdu, ",", ",\n  "))
	require.Equal(t, want.Deletions, pretty.Deletions, "a single entry may span lines")
	for _, empty := range []string{`[]`, `{"logs":[]}`} {
		require.Equal(t, event.Delivery{}, receive(t, empty))
	}
}

func TestEntriesAreJudgedAlone(t *testing.T) {
	t.Parallel()
	entries := []string{
		`5`, `"sdu"`, `null`, `[]`, `{}`, `{"data":5}`, `{"data":{"type":7}}`, `{"data":{"type":"SDU"}}`, // of another shape
		`{"log_id":"a","data":{"type":"sdu","user_id":7}}`,
		`{"log_id":"b","data":{"type":"sdu"}}`,
		"{\"log_id\":\"c\",\"data\":{\"type\":\"sdu\",\"user_id\":\"\xff\"}}",
		`{"data":{"log_id":"d","type":"sdu","user_id":"auth0|d"}}`,
		`{"log_id":9,"data":{"log_id":"e","type":"sdu","user_id":"auth0|e"}}`,
		`{"data":{"type":"sdu","user_id":"auth0|f"}}`,
		`{"log_id":"g","data":{"type":"f","user_agent":"\ud800"}}`, // strangers choose it
		`{"log_id":"h","data":{"type":"sdu","user_id":"auth0|h","user_agent":"\ud800"}}`,
		`{"log_id":"i","data":{"type":"sdu","user_id":"auth0|i","user_id":"auth0|j"}}`,
	}
	for _, body := range []string{strings.Join(entries, "\n"), `[` + strings.Join(entries, ",") + `]`, `{"logs":[` + strings.Join(entries, ",") + `]}`} {
		d := receive(t, body)
		require.Equal(t, 9, d.Ignored)
		require.Equal(t, event.IgnoreOtherType, d.IgnoreReason)
		type id struct{ event, external, unusable string }
		var got []id
		for _, one := range d.Deletions {
			require.Equal(t, one.ExternalID, one.UserID)
			got = append(got, id{one.EventID, one.ExternalID, one.UnusableID})
		}
		require.Equal(t, []id{
			{"a", "", `"7"`},
			{"b", "", event.MissingID},
			{"c", "", `"\xff"`},
			{"d", "auth0|d", ""},
			{"e", "auth0|e", ""},
			{digest(entries[13]), "auth0|f", ""},
			{"h", "auth0|h", ""}, // nobody reads the user agent
			{digest(entries[16]), "", "(unreadable entry)"},
		}, got)
	}
}

func TestABrokenLineIsHeldAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	d := receive(t, sdu+"\n"+`{"log_id":"2","data":{"type":"sdu","us`+"\n"+sapi)
	require.Len(t, d.Deletions, 2)
	require.Equal(t, "auth0|1", d.Deletions[0].ExternalID)
	require.Equal(t, "(unreadable entry)", d.Deletions[1].UnusableID)
	require.Regexp(t, `^sha256:`, d.Deletions[1].EventID)
	require.Equal(t, d, receive(t, sdu+"\n"+`{"log_id":"2","data":{"type":"sdu","us`+"\n"+sapi), "a retry has the same keys")
}

func TestABodyThatIsBrokenAsAWholeIsMalformed(t *testing.T) {
	t.Parallel()
	for body, reason := range map[string]string{
		"[" + sdu + "," + sdu[:9]:          fault.ReasonBadJSON,
		"[" + sdu + ",]":                   fault.ReasonBadJSON,
		"[" + sdu + "] x":                  fault.ReasonBadJSON,
		"[" + sdu + "]" + "[" + sdu + "]":  fault.ReasonBadJSON,
		`{"logs":[` + sdu:                  fault.ReasonBadJSON,
		`{"logs":[` + sdu + `],"logs":[]}`: fault.ReasonBadJSON,
		`{"logs":{}}`:                      fault.ReasonBadType,
		`{"logs":null}`:                    fault.ReasonBadType,
		sdu[:9]:                            fault.ReasonBadJSON,
		"a\nb\nc":                          fault.ReasonBadJSON,
		sdu + strings.Repeat("\nx", 101):   fault.ReasonBadJSON,
	} {
		_, err := deliver(t, body)
		require.Equal(t, fault.Malformed, fault.KindOf(err), body)
		require.Equal(t, reason, fault.ReasonOf(err), body)
	}
	require.Len(t, receive(t, sdu+strings.Repeat("\nx", 100)).Deletions, 101)
}

func TestHundredsInOneRequest(t *testing.T) {
	t.Parallel()
	var lines []string
	for i := range 700 {
		lines = append(lines, fmt.Sprintf(`{"log_id":"%d","data":{"type":"sdu","user_id":"auth0|%d"}}`, i, i), sapi)
	}
	d := receive(t, strings.Join(lines, "\n"))
	require.Len(t, d.Deletions, 700)
	require.Equal(t, 700, d.Ignored)
	require.Equal(t, "auth0|699", d.Deletions[699].ExternalID)
}

func harness() providertest.Harness {
	form := signature.Verbatim()
	list := func(reason string, bodies ...string) []providertest.Case {
		var cases []providertest.Case
		for _, body := range bodies {
			cases = append(cases, providertest.Case{Name: body, Body: body, Reason: reason})
		}
		return cases
	}
	return providertest.Harness{
		Info:     auth0logs.About(),
		New:      func(s provider.Settings) (provider.Provider, error) { return auth0logs.New(s) },
		Sample:   auth0logs.Sample,
		Secret:   secret,
		Other:    other,
		Unusable: []string{"short-marker", " padded-marker-token-01234567", "line\nmarker-token-0123456789"},
		Token:    &form,
		IDMember: "user_id",
		Batch:    true,
		Body: func(members string) []byte {
			if members != "" {
				members = "," + members
			}
			return []byte(`{"log_id":"1","data":{"type":"sdu"` + members + `}}`)
		},
		Ignored: list(string(event.IgnoreOtherType), sapi, `{"log_id":"3","data":{"type":"fdu","user_id":"auth0|alive"}}`,
			`{}`, `{"type":"sdu","user_id":"a"}`, `{"data":{"Type":"sdu","user_id":"a"}}`, `{"data":[]}`, `[5]`, `[[]]`),
		Malformed: list(fault.ReasonBadType, `5`, `"sdu"`, `null`, `true`, `{"logs":{}}`),
		Golden:    []string{secret},
	}
}

func digest(raw string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(raw))) }

func receive(t *testing.T, body string) event.Delivery {
	t.Helper()
	d, err := deliver(t, body)
	require.NoError(t, err)
	return d
}

func deliver(t *testing.T, body string) (event.Delivery, error) {
	t.Helper()
	p, err := auth0logs.New(provider.Settings{
		Secrets: func() []string { return []string{secret} },
		Now:     func() time.Time { return time.Unix(1_800_000_000, 0) },
	})
	require.NoError(t, err)
	header, err := signature.Verbatim().SignHeader(secret)
	require.NoError(t, err)
	return p.Receive(header, []byte(body))
}
