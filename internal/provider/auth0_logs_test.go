package provider_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

const (
	sdu  = `{"log_id":"1","data":{"type":"sdu","user_id":"auth0|1"}}`
	sapi = `{"log_id":"2","data":{"type":"sapi","user_id":"auth0|actor"}}`
)

func TestAuth0LogsEveryLayoutSaysTheSame(t *testing.T) {
	t.Parallel()
	want := logs(t).receive(t, sdu+"\n"+sapi)
	require.Len(t, want.Deletions, 1)
	require.Equal(t, 1, want.Ignored)
	for _, body := range []string{
		sdu + "\r\n" + sapi + "\r\n", "\n\n" + sdu + "\n \n" + sapi + "\n\n", " [" + sdu + "," + sapi + "] ",
		`{"logs":[` + sdu + ",\n" + sapi + `]}`, `{"next":null,"logs" : [ ` + sdu + `,` + sapi + `],"n":2,"n":"\ud800"}` + "\n",
	} {
		require.Equal(t, want, logs(t).receive(t, body), body)
	}
	pretty := logs(t).receive(t, strings.ReplaceAll(sdu, ",", ",\n  "))
	require.Equal(t, want.Deletions, pretty.Deletions, "a single entry may span lines")
	for _, empty := range []string{`[]`, `{"logs":[]}`} {
		require.Equal(t, deletion.Delivery{}, logs(t).receive(t, empty))
	}
}

func TestAuth0LogsEntriesAreJudgedAlone(t *testing.T) {
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
		d := logs(t).receive(t, body)
		require.Equal(t, 9, d.Ignored)
		require.Equal(t, deletion.IgnoreOtherType, d.IgnoreReason)
		type id struct{ event, external, unusable string }
		var got []id
		for _, one := range d.Deletions {
			require.Equal(t, one.ExternalID, one.UserID)
			got = append(got, id{one.EventID, one.ExternalID, one.UnusableID})
		}
		require.Equal(t, []id{
			{"a", "", `"7"`},
			{"b", "", deletion.MissingID},
			{"c", "", `"\xff"`},
			{"d", "auth0|d", ""},
			{"e", "auth0|e", ""},
			{digestOf(entries[13]), "auth0|f", ""},
			{"h", "auth0|h", ""}, // nobody reads the user agent
			{digestOf(entries[16]), "", "(unreadable entry)"},
		}, got)
	}
}

func TestAuth0LogsABrokenLineIsHeldAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	d := logs(t).receive(t, sdu+"\n"+`{"log_id":"2","data":{"type":"sdu","us`+"\n"+sapi)
	require.Len(t, d.Deletions, 2)
	require.Equal(t, "auth0|1", d.Deletions[0].ExternalID)
	require.Equal(t, "(unreadable entry)", d.Deletions[1].UnusableID)
	require.Regexp(t, `^sha256:`, d.Deletions[1].EventID)
	require.Equal(t, d, logs(t).receive(t, sdu+"\n"+`{"log_id":"2","data":{"type":"sdu","us`+"\n"+sapi), "a retry has the same keys")
}

func TestAuth0LogsABodyThatIsBrokenAsAWholeIsMalformed(t *testing.T) {
	t.Parallel()
	for body, reason := range map[string]fault.Reason{
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
		_, err := logs(t).deliver(t, body)
		require.Equal(t, fault.Malformed, fault.KindOf(err), body)
		require.Equal(t, reason, fault.ReasonOf(err), body)
	}
	require.Len(t, logs(t).receive(t, sdu+strings.Repeat("\nx", 100)).Deletions, 101)
}

func TestAuth0LogsHundredsInOneRequest(t *testing.T) {
	t.Parallel()
	var lines []string
	for i := range 700 {
		lines = append(lines, fmt.Sprintf(`{"log_id":"%d","data":{"type":"sdu","user_id":"auth0|%d"}}`, i, i), sapi)
	}
	d := logs(t).receive(t, strings.Join(lines, "\n"))
	require.Len(t, d.Deletions, 700)
	require.Equal(t, 700, d.Ignored)
	require.Equal(t, "auth0|699", d.Deletions[699].ExternalID)
}

func digestOf(raw string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(raw))) }

// logs has a clock that stands still.
func logs(t *testing.T) *sender {
	t.Helper()
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	return enabledWith(t, provider.Options{Now: now}, "auth0-logs", "AUTH0_LOGS_TOKEN", someToken)
}
