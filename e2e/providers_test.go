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
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

const (
	gone   = "user_gone"
	living = "user_here"
)

// Whoever sends, only the genuine deletion reaches Polar, once.
func TestEveryProviderEndToEnd(t *testing.T) {
	t.Parallel()
	for _, e := range everyProvider() {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			playProvider(t, e)
		})
	}
}

func playProvider(t *testing.T, e *provider.Spec) {
	t.Helper()
	s := senderOf(t, e)
	env := newProviderEnvironment(t, e, s)
	for _, id := range []string{gone, living} {
		env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
	}
	p := env.start(t)
	answered := acknowledgementOf(t, e)

	genuine := s.deliver(t, e, s.secret, gone, time.Now())
	if !static(t, e, s.secret) {
		p.deliver(t, tampered(genuine), http.StatusUnauthorized)
	}
	p.deliver(t, s.deliver(t, e, s.other, living, time.Now()), http.StatusUnauthorized)
	for _, name := range authenticating(genuine) {
		p.deliver(t, genuine.without(name), http.StatusUnauthorized)
	}
	if e.Timestamped {
		p.deliver(t, s.deliver(t, e, s.secret, living, time.Now().Add(-10*time.Minute)), http.StatusUnauthorized)
		p.deliver(t, s.deliver(t, e, s.secret, living, time.Now().Add(10*time.Minute)), http.StatusUnauthorized)
	}
	answered(p, s.resigned(t, e, otherType), deletion.Receipt{}, 1)
	answered(p, s.resigned(t, e, withoutID), deletion.Receipt{Accepted: 1, Held: 1}, 0)

	// That this one is carried out proves that the queue ran all the while.
	answered(p, genuine, deletion.Receipt{Accepted: 1}, 0)
	env.waitDeleted(t, []string{gone}, 20*time.Second)
	answered(p, genuine, deletion.Receipt{Duplicates: 1}, 0)
	p.waitMetric(t, fmt.Sprintf(`polar_bridge_deletions_total{outcome="deleted",provider=%q}`, e.Name), 1, 10*time.Second)
	p.waitMetric(t, fmt.Sprintf(`polar_bridge_deletions_held_total{provider=%q,reason="unusable_id"}`, e.Name), 1, 10*time.Second)
	require.Equal(t, 1, env.deletes(), "%+v", env.journal())
	require.Equal(t, 2, env.calls(), "and one look before it")
	require.True(t, env.polar.Exists(living))
	p.noSecrets(t)
}

// newProviderEnvironment enables this provider and no other.
func newProviderEnvironment(t *testing.T, e *provider.Spec, s signingSide, more ...string) *environment {
	t.Helper()
	settings := append([]string{e.EnabledBy + "=" + s.configured}, s.settings...)
	env := newEnvironment(t, databasetest.SQLite(t))
	for _, name := range []string{"CLERK_WEBHOOK_SIGNING_SECRET", "AUTH0_WEBHOOK_TOKEN", "AUTH0_LOGS_TOKEN", "AUTH0_LOGS_UNCONFIRMED"} {
		delete(env.settings, name)
	}
	for _, setting := range append(settings, more...) {
		name, value, _ := strings.Cut(setting, "=")
		env.settings[name] = value
	}
	return env
}

// acknowledgementOf returns what requires the answer that the provider demands.
func acknowledgementOf(t *testing.T, e *provider.Spec) func(*process, delivery, deletion.Receipt, int) {
	t.Helper()
	return func(p *process, d delivery, r deletion.Receipt, ignored int) {
		t.Helper()
		if e.AcknowledgeEmpty {
			require.Empty(t, p.deliver(t, d, http.StatusOK))
			return
		}
		status, word := http.StatusOK, "ignored"
		switch {
		case r.Accepted > 0:
			status, word = http.StatusAccepted, "accepted"
		case r.Duplicates > 0:
			word = "duplicate"
		}
		require.JSONEq(t, fmt.Sprintf(`{"status":%q,"accepted":%d,"duplicates":%d,"ignored":%d}`, word, r.Accepted, r.Duplicates, ignored), p.deliver(t, d, status))
	}
}

// deliver returns a sample.
func (s signingSide) deliver(t *testing.T, e *provider.Spec, secret, id string, at time.Time) delivery {
	t.Helper()
	header, body, err := e.Sample(secret, provider.Sample{ExternalID: id, EventID: "evt_" + id, Time: at})
	require.NoError(t, err)
	return delivery{e.Name, header, body}
}

// resigned returns an authentic event about the living user, changed.
func (s signingSide) resigned(t *testing.T, e *provider.Spec, change func(string) string) delivery {
	t.Helper()
	at := time.Now()
	_, body, err := e.Sample(s.secret, provider.Sample{ExternalID: living, EventID: "evt_changed", Time: at})
	require.NoError(t, err)
	original := string(s.plain(t, body))
	changed := change(original)
	require.NotEqual(t, original, changed, "%s needs other words", e.Name)
	header, body := s.sign(t, s.secret, at, []byte(changed))
	return delivery{e.Name, header, body}
}

// otherType makes a neighbouring event of a deletion.
func otherType(body string) string {
	return strings.NewReplacer(
		"user.deleted", "user.updated", `"sdu"`, `"fdu"`, `"DELETE"`, `"UPDATE"`, "user.lifecycle.delete.initiated", "user.lifecycle.deactivate",
		"user.removed", "user.deactivated", "User.Deleted", "User.Data.Updated", "admin.USER-DELETE", "admin.USER-UPDATE",
		"user.delete.complete", "user.update.complete",
	).Replace(body)
}

// withoutID takes the user's id away wherever it stands.
func withoutID(body string) string {
	return strings.ReplaceAll(strings.ReplaceAll(body, `"`+living+`"`, "null"), living, "")
}

// tampered names another user or, where the id cannot be read, is no longer what
// was signed.
func tampered(d delivery) delivery {
	changed := bytes.ReplaceAll(d.body, []byte(gone), []byte(living))
	if bytes.Equal(changed, d.body) {
		changed[len(changed)/2] ^= 1
	}
	d.body = changed
	return d
}

// authenticating lists the headers without which a delivery proves nothing.
func authenticating(d delivery) []string {
	var names []string
	for name := range d.header {
		if lower := strings.ToLower(name); name == "Authorization" || strings.Contains(lower, "signature") {
			names = append(names, name)
		}
	}
	return names
}

func (d delivery) without(name string) delivery {
	d.header = d.header.Clone()
	d.header.Del(name)
	return d
}
