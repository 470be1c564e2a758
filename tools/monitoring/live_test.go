package monitoring_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

const (
	polarToken = "polar_oat_monitoring_0123456789"
	clerkKey   = "whsec_bW9uaXRvcmluZy1tb25pdG9yaW5nLTEyMw=="
	otherKey   = "whsec_c29tZWJvZHktZWxzZXMta2V5LTEyMzQ1Ng=="
)

// notification is what Alertmanager posts to a receiver.
type notification struct {
	Alerts []struct {
		Status      string            `json:"status"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"alerts"`
}

// receive starts a receiver and passes on what arrives there.
func receive(t *testing.T) (address string, arrived <-chan notification) {
	t.Helper()
	notifications := make(chan notification, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var n notification
		if json.NewDecoder(r.Body).Decode(&n) == nil {
			notifications <- n
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, notifications
}

func startAlertmanager(t *testing.T, receiver string) (listen string) {
	t.Helper()
	dir := t.TempDir()
	config := write(t, filepath.Join(dir, "alertmanager.yml"), fmt.Sprintf(`
route: {receiver: test, group_by: [alertname], group_wait: 0s, group_interval: 1s}
receivers: [{name: test, webhook_configs: [{url: %q}]}]
`, receiver))
	listen = address(t)
	start(t, exec.Command(tool(t, "prometheus-alertmanager", "alertmanager"),
		"--config.file="+config, "--storage.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+listen, "--cluster.listen-address="), func([]byte) {})
	return listen
}

// startPrometheus runs it with the rules that are shipped. Only their waiting
// times are cut to a second: promtool has tested those, and nobody wants to
// wait for them here.
func startPrometheus(t *testing.T, scraped, alertmanager string) prometheus {
	t.Helper()
	dir := t.TempDir()
	shipped, err := os.ReadFile(rulesFile)
	require.NoError(t, err)
	write(t, filepath.Join(dir, "rules.yaml"), regexp.MustCompile(`(?m)^( +for: ).*$`).ReplaceAllString(string(shipped), "${1}1s"))
	config := write(t, filepath.Join(dir, "prometheus.yml"), fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules.yaml]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs: [{job_name: polar-bridge, static_configs: [{targets: [%q]}]}]
`, alertmanager, scraped))
	p := prometheus{address(t)}
	start(t, exec.Command(tool(t, "prometheus"), "--config.file="+config, "--log.level=warn",
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+p.address), func([]byte) {})
	return p
}

// post sends a deletion that is signed with the key.
func post(t *testing.T, webhooks, key, eventID, externalID string, status int) {
	t.Helper()
	clerk, ok := everyProvider().Lookup("clerk")
	require.True(t, ok)
	header, body, err := clerk.Sample(key, provider.Sample{ExternalID: externalID, EventID: eventID, Time: time.Now()})
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+webhooks+"/webhooks/clerk", bytes.NewReader(body))
	require.NoError(t, err)
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, status, response.StatusCode)
}

func TestPrometheusSeesWhatHappensAndAlertmanagerTellsOfARefusedToken(t *testing.T) {
	t.Parallel()
	polar := polartest.Start(t, polartest.Options{Token: polarToken})
	webhooks, admin := serve(t, map[string]string{
		"POLAR_ACCESS_TOKEN": polarToken, "POLAR_ANONYMIZE": "true", "POLAR_BASE_URL": polar.URL().String(),
		"CLERK_WEBHOOK_SIGNING_SECRET": clerkKey, "DATABASE_URL": "sqlite:live.db",
		"LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0",
	})
	receiver, arrived := receive(t)
	server := startPrometheus(t, admin, startAlertmanager(t, receiver))
	server.becomes(t, `up{job="polar-bridge"}`, 1)

	polar.AddCustomer(polartest.Customer{ExternalID: "user_1"})
	polar.AddCustomer(polartest.Customer{ExternalID: "user_2"})
	post(t, webhooks, clerkKey, "msg_1", "user_1", 202)
	post(t, webhooks, clerkKey, "msg_2", "user_2", 202)
	post(t, webhooks, clerkKey, "msg_2", "user_2", 200)
	post(t, webhooks, clerkKey, "msg_3", "user_who_never_bought", 202)
	post(t, webhooks, otherKey, "msg_4", "user_1", 401)
	for expression, want := range map[string]float64{
		`polar_bridge_deletions_total{provider="clerk", outcome="deleted"}`:        2,
		`polar_bridge_deletions_total{provider="clerk", outcome="not_found"}`:      1,
		`polar_bridge_events_total{provider="clerk", outcome="duplicate"}`:         1,
		`polar_bridge_webhooks_total{provider="clerk", outcome="unauthenticated"}`: 1,
		`sum(polar_bridge_deletions_total)`:                                        3,
		`sum(polar_bridge_deletions_pending)`:                                      0,
	} {
		server.becomes(t, expression, want)
	}
	requireRulesWork(t, server)
	requirePanelsWork(t, server)
	require.Empty(t, arrived, "nothing is wrong yet")

	polar.RevokeToken(polarToken)
	post(t, webhooks, clerkKey, "msg_5", "user_1", 202)
	server.becomes(t, `ALERTS{alertname="PolarBridgeTokenRefused", alertstate="firing"}`, 1)
	select {
	case n := <-arrived:
		require.Len(t, n.Alerts, 1)
		require.Equal(t, "firing", n.Alerts[0].Status)
		require.Equal(t, map[string]string{"alertname": "PolarBridgeTokenRefused", "severity": "critical", "job": "polar-bridge"}, n.Alerts[0].Labels)
		require.Equal(t, runbookURL+"polarbridgetokenrefused", n.Alerts[0].Annotations["runbook_url"])
		require.Contains(t, n.Alerts[0].Annotations["description"], "polar-bridge with 401, or with 403")
	case <-time.After(30 * time.Second):
		require.FailNow(t, "no notification arrived")
	}

	check := exec.CommandContext(t.Context(), tool(t, "promtool"), "check", "metrics")
	check.Stdin = bytes.NewReader(get(t, "http://"+admin+"/metrics"))
	said, err := check.CombinedOutput()
	require.NoError(t, err, string(said))
	require.Empty(t, string(said))
}

// requireRulesWork looks at what Prometheus thinks of the rules that it evaluates.
func requireRulesWork(t *testing.T, server prometheus) {
	t.Helper()
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct {
					Name, Health, LastError string
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal(get(t, "http://"+server.address+"/api/v1/rules"), &answer))
	count := 0
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			count++
			require.Equal(t, "ok", r.Health, "%s: %s", r.Name, r.LastError)
		}
	}
	var shipped ruleFile
	readYAML(t, rulesFile, &shipped)
	for _, g := range shipped.Groups {
		count -= len(g.Rules)
	}
	require.Zero(t, count, "all rules are evaluated")
}

// requirePanelsWork asks what Grafana would ask, with every variable at All.
func requirePanelsWork(t *testing.T, server prometheus) {
	t.Helper()
	all := strings.NewReplacer("$namespace", ".*", "$job", ".*", "$provider", ".*")
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			found, ok := server.query(t, all.Replace(expand(target.Expr)))
			require.True(t, ok, "%s: %s", p.Title, target.Expr)
			if p.Type == "stat" {
				require.NotEmpty(t, found, "%s shows nothing: %s", p.Title, target.Expr)
			}
		}
	}
}

func everyProvider() provider.Registry { return provider.All(provider.Options{Now: time.Now}) }
