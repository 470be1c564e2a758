package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// untimed tells when nothing happened.
func untimed() []string { return []string{"supabase"} }

// occurrence is what an event says of its time, and what becomes then of the
// customer who was created ten days ago.
type occurrence struct {
	name string
	raw  string // JSON
	held bool
}

func occurrences(now time.Time) []occurrence {
	const day = 24 * time.Hour
	text := func(at time.Time) string { return strconv.Quote(at.UTC().Format(time.RFC3339Nano)) }
	return []occurrence{
		{"36 days ago", text(now.Add(-36 * day)), true},
		{"90 days ago", text(now.Add(-90 * day)), true},
		{"years ago", text(now.Add(-4 * 365 * day)), true},
		{"with another zone", strconv.Quote(now.Add(-36 * day).In(time.FixedZone("", 10*3600)).Format(time.RFC3339Nano)), true},
		{"in seconds", fmt.Sprint(now.Add(-36 * day).Unix()), true},
		{"in milliseconds", fmt.Sprint(now.Add(-36 * day).UnixMilli()), true},
		{"in microseconds", fmt.Sprint(now.Add(-36 * day).UnixMicro()), true},
		{"in nanoseconds", fmt.Sprint(now.Add(-36 * day).UnixNano()), true},
		{"a number as text", strconv.Quote(fmt.Sprint(now.Add(-36 * day).UnixMilli())), true},
		{"a word", `"yesterday"`, true},
		{"an empty text", `""`, true},
		{"without a zone", strconv.Quote(now.Format("2006-01-02T15:04:05")), true},
		{"an object", `{}`, true},
		{"a truth", `true`, true},
		{"zero", `0`, true},
		{"the zero time", `"0001-01-01T00:00:00Z"`, true},
		{"before 2015", `"2014-12-31T23:59:59Z"`, true},
		{"no time", `null`, false},
		{"a minute ago", text(now.Add(-time.Minute)), false},
		{"ahead", text(now.Add(time.Hour)), false},
	}
}

// Signatures are of now in all of them: Svix signs again what it resends, and
// many providers sign no time at all.
func TestTheTimeOfAnEventIsBelievedHoweverOldAndNeverTakenForNow(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	env := newEnvironment(t, databasetest.SQLite(t))
	senders := map[string]signingSide{}
	for _, e := range everyProvider() {
		s := senderOf(t, e)
		senders[e.Name] = s
		for _, setting := range append([]string{e.EnabledBy + "=" + s.configured}, s.settings...) {
			name, value, _ := strings.Cut(setting, "=")
			env.settings[name] = value
		}
	}
	p := env.start(t)
	held, gone := map[string]string{}, map[string]string{}
	for _, e := range everyProvider() {
		for i, o := range occurrences(now) {
			id := fmt.Sprintf("%s_%d", e.Name, i)
			env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: now.Add(-10 * 24 * time.Hour)})
			if o.held && !strings.Contains(strings.Join(untimed(), " "), e.Name) {
				held[id] = o.name
			} else {
				gone[id] = o.name
			}
			status, text := p.post(t.Context(), http.DefaultClient, senders[e.Name].happened(t, e, id, o.raw))
			require.Equal(t, 2, status/100, "%s, %s: %s", e.Name, o.name, text)
		}
	}
	p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, time.Minute)
	p.waitMetric(t, `polar_bridge_deletions_pending{state="held"}`, float64(len(held)), time.Minute)
	for id, name := range held {
		require.True(t, env.polar.Exists(id), "%s: %s", id, name)
	}
	for id, name := range gone {
		require.False(t, env.polar.Exists(id), "%s: %s", id, name)
	}
	require.Equal(t, len(gone), env.deletes())

	// A person reads why, and can let it pass.
	var found listed
	require.NoError(t, json.Unmarshal([]byte(env.bridge(t, 0, "deletions", "list", "--external-id", "clerk_9", "--json")), &found))
	id := fmt.Sprint(found.ID)
	require.Contains(t, env.bridge(t, 0, "deletions", "show", id), "unknown: the event has a time that cannot be read")
	env.bridge(t, 0, "deletions", "approve", id, "--yes")
	env.waitDeleted(t, []string{"clerk_9"}, 20*time.Second)
}

// happened returns an authentic deletion whose event says, wherever it says a
// time, that it happened then.
func (s signingSide) happened(t *testing.T, e *provider.Spec, id, raw string) delivery {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	_, body, err := e.Sample(s.secret, provider.Sample{ExternalID: id, EventID: "evt_" + id, Time: at})
	require.NoError(t, err)
	original := string(s.plain(t, body))
	changed := strings.NewReplacer(strconv.Quote(at.Format(time.RFC3339)), raw, fmt.Sprint(at.UnixMilli()), raw).Replace(original)
	if changed == original {
		require.Contains(t, untimed(), e.Name, "where is its time? %s", original)
	}
	header, body := s.sign(t, s.secret, time.Now(), []byte(changed))
	return delivery{e.Name, header, body}
}
