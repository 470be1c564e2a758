package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// selftested is what the tests read of selftest's report.
type selftested struct {
	OK         bool   `json:"ok"`
	Fault      string `json:"fault"`
	ExternalID string `json:"external_id"`
	Steps      []struct {
		Name   string `json:"step"`
		TookMS *int   `json:"took_ms"`
	} `json:"steps"`
}

// selftest runs the command, and sees that nobody is left at the Polar, but those who
// were there.
func (env *environment) selftest(t *testing.T, code int, address string, args ...string) selftested {
	t.Helper()
	before := len(env.polar.Customers())
	var report selftested
	args = append([]string{"selftest", "clerk", "--json", "--url", address, "--email", "you@shop.example"}, args...)
	require.NoError(t, json.Unmarshal([]byte(env.bridge(t, code, args...)), &report))
	require.Equal(t, code == 0, report.OK)
	require.Len(t, env.polar.Customers(), before, "what it made is gone")
	require.Equal(t, 1, env.polar.Deleted(report.ExternalID), "it has made somebody")
	return report
}

const noDatabase = "DATABASE_URL=sqlite:elsewhere.db"

func TestSelftestProvesTheWay(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env, _ := withClerk(t, database, "VERIFY_AFTER=1s")
		env.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", CreatedAt: longAgo()})
		p := env.start(t)
		report := env.selftest(t, 0, p.webhooks+"/")
		require.Regexp(t, `^user_polarbridgeselftest`, report.ExternalID, "Clerk was asked about an id of its form")
		var names []string
		for _, step := range report.Steps {
			require.NotNil(t, step.TookMS, step.Name)
			names = append(names, step.Name)
		}
		require.Equal(t, []string{"customer", "proxy", "signature", "disk", "queue", "Polar", "gone"}, names)

		// Where the database is not to be had, the steps in it are not seen.
		report = env.with(noDatabase).selftest(t, 0, p.webhooks)
		require.Len(t, report.Steps, 5)

		p.waitMetric(t, `polar_bridge_selftest_deletions_total{outcome="deleted"}`, 2, 10*time.Second)
		p.deliver(t, sign(t, "clerk", "msg_1", "user_1"), http.StatusAccepted)
		env.waitDeleted(t, []string{"user_1"}, 20*time.Second)
		p.waitMetric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`, 1, 10*time.Second)
		p.waitMetric(t, `polar_bridge_verifications_total{outcome="gone",provider="clerk"}`, 1, 10*time.Second)
		for series, want := range map[string]float64{
			`polar_bridge_webhooks_total{outcome="accepted",provider="clerk"}`:        3,
			`polar_bridge_events_total{outcome="accepted",provider="clerk"}`:          1,
			`polar_bridge_deletion_delay_seconds_count{provider="clerk"}`:             1,
			`polar_bridge_deletion_attempts_total{provider="clerk",result="deleted"}`: 1,
			`polar_bridge_verifications_total{outcome="gone",provider="clerk"}`:       1,
		} {
			require.InDelta(t, want, p.metric(t, series), 0, series)
		}
		require.Equal(t, map[string][]string{"user_1": {"webhook"}}, env.exportedSources(t))
		require.Contains(t, env.bridge(t, 0, "deletions", "stats", "--json"), `"provider":"selftest"`)
	})
}

// Polar answers lookups from replicas: one that has not heard of the customer yet would
// look as if they were gone.
func TestSelftestIsNotMisledByReplicas(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t), "GRACE_PERIOD=4s")
	env.polar.SetReplicaLag(3 * time.Second)
	p := env.start(t)
	require.Empty(t, env.with(noDatabase).selftest(t, 0, p.webhooks).Fault)
}

func TestSelftestNamesWhatBlocksTheWay(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T, settings ...string) (*environment, *process) {
		t.Helper()
		env := newEnvironment(t, databasetest.SQLite(t), settings...)
		return env, env.start(t)
	}

	t.Run("the secret is wrong", func(t *testing.T) {
		t.Parallel()
		env, p := start(t)
		report := env.with("CLERK_WEBHOOK_SIGNING_SECRET=whsec_bWFya2VyLW90aGVyLW1hcmtlci1zZWNyZXQ=").selftest(t, 1, p.webhooks)
		require.Contains(t, report.Fault, "the secret differs from the server's: compare CLERK_WEBHOOK_SIGNING_SECRET")
	})

	t.Run("a proxy changes the body", func(t *testing.T) {
		t.Parallel()
		env, p := start(t)
		report := env.selftest(t, 1, changingProxy(t, p.webhooks))
		require.Contains(t, report.Fault, "a proxy in front of the server changes the body")
	})

	t.Run("the token lacks the scope", func(t *testing.T) {
		t.Parallel()
		env, p := start(t)
		env.polar.AllowToken("polar_oat_readonly", polartest.TokenReadOnly)
		var report selftested
		output := env.with("POLAR_ACCESS_TOKEN=polar_oat_readonly").bridge(t, 1, "selftest", "clerk", "--json", "--url", p.webhooks, "--email", "you@shop.example")
		require.NoError(t, json.Unmarshal([]byte(output), &report))
		require.Contains(t, report.Fault, "lacks the scope customers:write")
		require.Empty(t, env.polar.Customers())
	})

	t.Run("the server's token lacks the scope", func(t *testing.T) {
		t.Parallel()
		env := newEnvironment(t, databasetest.SQLite(t))
		env.polar.AllowToken("polar_oat_readonly", polartest.TokenReadOnly)
		p := env.with("POLAR_ACCESS_TOKEN=polar_oat_readonly").start(t)
		require.Contains(t, env.selftest(t, 1, p.webhooks).Fault, "the server's token: Polar refuses it, or it lacks the scope")
	})

	t.Run("the database belongs to another organization", func(t *testing.T) {
		t.Parallel()
		env := newEnvironment(t, databasetest.SQLite(t))
		env.addCustomers(1) // who says which organization it is
		p := env.start(t)
		other := env.elsewhere(t)
		require.Contains(t, other.selftest(t, 1, p.webhooks).Fault, "wrong organization: the server's database belongs to")
	})

	t.Run("the server's token is of another organization than its database", func(t *testing.T) {
		t.Parallel()
		env := newEnvironment(t, databasetest.SQLite(t))
		env.addCustomers(1)
		require.Zero(t, env.start(t).terminate(t))
		other := env.elsewhere(t)
		other.addCustomers(1)
		p := other.start(t)
		require.Contains(t, env.selftest(t, 1, p.webhooks).Fault, "wrong organization: the server's POLAR_ACCESS_TOKEN is of another one than its database belongs to")
		require.Len(t, other.polar.Customers(), 1)
	})

	t.Run("the server is another organization's", func(t *testing.T) {
		t.Parallel()
		env, _ := start(t)
		other := newEnvironment(t, databasetest.SQLite(t))
		p := other.start(t)
		require.Contains(t, env.with("DATABASE_URL="+other.database).selftest(t, 1, p.webhooks).Fault, "wrong organization: the server's Polar knows no such customer")
		require.Contains(t, env.with(noDatabase).selftest(t, 1, p.webhooks, "--timeout", "5s").Fault, "another organization's")
	})

	t.Run("the server is paused", func(t *testing.T) {
		t.Parallel()
		env, p := start(t)
		env.bridge(t, 0, "deletions", "pause")
		command := env.command(t, "selftest", "clerk", "--url", p.webhooks, "--email", "you@shop.example")
		output, err := command.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(output), "nothing was made, because it cannot work: the server is paused since")
		require.Zero(t, env.polar.CallsOf(polartest.OperationCreate))
		report := env.with(noDatabase).selftest(t, 1, p.webhooks, "--timeout", "5s")
		require.Contains(t, report.Fault, "Is it paused")
		env.bridge(t, 0, "deletions", "resume")
		require.Equal(t, "not_found", env.deletion(t, report.ExternalID, "done").Outcome)
	})

	t.Run("the server holds it", func(t *testing.T) {
		t.Parallel()
		env, p := start(t, "MAX_DELETIONS_PER_HOUR=1")
		env.addCustomers(1)
		p.deliver(t, sign(t, "clerk", "msg_1", "user_0000"), http.StatusAccepted)
		env.waitDeleted(t, []string{"user_0000"}, 20*time.Second)
		report := env.with("MAX_DELETIONS_PER_HOUR=100").selftest(t, 1, p.webhooks)
		require.Contains(t, report.Fault, "the server holds the deletion as mass_deletion")
		require.Equal(t, "cancelled", env.deletion(t, report.ExternalID, "cancelled").Outcome)
	})

	t.Run("the server ignores it", func(t *testing.T) {
		t.Parallel()
		env, p := start(t, "EXTERNAL_ID_PATTERN=^user_[0-9]+$")
		require.Contains(t, env.with("EXTERNAL_ID_PATTERN=").selftest(t, 1, p.webhooks).Fault, "the server ignores the event")
	})

	t.Run("nobody is there", func(t *testing.T) {
		t.Parallel()
		env := newEnvironment(t, databasetest.SQLite(t))
		require.Contains(t, env.selftest(t, 1, "http://127.0.0.1:1").Fault, "127.0.0.1:1 cannot be reached")
	})

	t.Run("Polar makes the customer and does not say so", func(t *testing.T) {
		t.Parallel()
		env := newEnvironment(t, databasetest.SQLite(t))
		env.polar.FailNextOf(polartest.OperationCreate, 1, polartest.ResetAfterCommit())
		require.Contains(t, env.selftest(t, 1, "http://127.0.0.1:1").Fault, "Polar did not make a customer")
	})

	t.Run("Polar does not show the customer", func(t *testing.T) {
		t.Parallel()
		env := newEnvironment(t, databasetest.SQLite(t))
		env.polar.SetReplicaLag(time.Hour)
		require.Contains(t, env.selftest(t, 1, "http://127.0.0.1:1").Fault, "does not show them")
	})

	t.Run("somebody else answers", func(t *testing.T) {
		t.Parallel()
		env := newEnvironment(t, databasetest.SQLite(t))
		other := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(other.Close)
		require.Contains(t, env.selftest(t, 1, other.URL).Fault, "this is not polar-bridge's answer")
	})
}

// changingProxy passes requests on with another body, as a gateway that reads JSON and
// writes it again does.
func changingProxy(t *testing.T, to string) string {
	t.Helper()
	target, err := url.Parse(to)
	require.NoError(t, err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		body, err := io.ReadAll(r.In.Body)
		if err == nil {
			body = append(body, '\n')
		}
		r.Out.Body, r.Out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

func TestSelftestSaysFirstWhereItCannotWork(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	for setting, why := range map[string]string{
		"DRY_RUN=true":                         "DRY_RUN is on",
		"GRACE_PERIOD=1h":                      "GRACE_PERIOD lets every deletion wait for 1h",
		"EXTERNAL_ID_PATTERN=^[0-9]+$":         "ignored as pattern",
		"POLAR_BASE_URL=":                      "add --yes",
		"CLERK_WEBHOOK_SIGNING_SECRET=":        "CLERK_WEBHOOK_SIGNING_SECRET is not set",
		"POLAR_ACCESS_TOKEN=":                  "set POLAR_ACCESS_TOKEN",
		"KINDE_ISSUER_URL=https://k.kinde.com": "only Kinde itself can send",
	} {
		provider := "clerk"
		if strings.HasPrefix(setting, "KINDE") {
			provider = "kinde"
		}
		output, err := env.with(setting).command(t, "selftest", provider, "--url", "http://127.0.0.1:1", "--email", "you@shop.example").CombinedOutput()
		require.Error(t, err, setting)
		require.Contains(t, string(output), why, setting)
	}
	require.Zero(t, env.polar.Calls())
}

func TestSelftestThatIsInterruptedRemovesTheCustomer(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	p := env.start(t)
	env.bridge(t, 0, "deletions", "pause")
	command := env.with(noDatabase).command(t, "selftest", "clerk", "--url", p.webhooks, "--email", "you@shop.example")
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	require.NoError(t, command.Start())
	p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 1, 30*time.Second)
	require.Len(t, env.polar.Customers(), 1)
	require.NoError(t, command.Process.Signal(syscall.SIGINT))
	require.Error(t, command.Wait())
	require.Contains(t, output.String(), "interrupted")
	require.Empty(t, env.polar.Customers())
}

// A stranger cannot have the deletion of a user counted as a test.
func TestOnlySelftestIsCountedAsATest(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t), "VERIFY_AFTER=0s")
	p := env.start(t)
	id := "polar-bridge-selftest-somebody"
	env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
	s := sign(t, "clerk", "msg_1", id)
	s.header.Set("Polar-Bridge-Selftest", strings.Repeat("00", 32))
	p.deliver(t, s, http.StatusAccepted)
	env.waitDeleted(t, []string{id}, 20*time.Second)
	p.waitMetric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`, 1, 10*time.Second)
	require.Equal(t, map[string][]string{id: {"webhook"}}, env.exportedSources(t))
}
