//go:build chart

package chart_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestSelectorsFindTheServerAndNothingElse(t *testing.T) {
	t.Parallel()
	eachSetup(t, func(t *testing.T, s setup) {
		var selectors []object
		for _, o := range s.of("Deployment", "StatefulSet", "PodDisruptionBudget") {
			selectors = append(selectors, o.at("spec", "selector", "matchLabels"))
		}
		for _, o := range s.of("Service") {
			selectors = append(selectors, o.at("spec", "selector"))
		}
		for _, o := range s.of("NetworkPolicy") {
			selectors = append(selectors, o.at("spec", "podSelector", "matchLabels"))
		}
		for _, constraint := range s.server(t).list("spec", "topologySpreadConstraints") {
			selectors = append(selectors, constraint.at("labelSelector", "matchLabels"))
		}
		require.GreaterOrEqual(t, len(selectors), 5)
		for _, selector := range selectors {
			require.True(t, selects(selector, s.server(t).at("metadata", "labels")), selector)
			require.Len(t, selector, 2, "a label that changes must not select")
			for _, pod := range s.of("Pod") {
				require.False(t, selects(selector, pod.at("metadata", "labels")), "helm test's pod is no server")
			}
		}
	})
}

func TestServicesLeadToPortsOfTheServer(t *testing.T) {
	t.Parallel()
	eachSetup(t, func(t *testing.T, s setup) {
		ports := find(s.server(t).list("spec", "containers"), "polar-bridge").list("ports")
		exposed := map[string][]any{}
		for _, service := range s.of("Service") {
			for _, port := range service.list("spec", "ports") {
				require.NotNil(t, find(ports, port["targetPort"]), port)
				exposed[service.name()] = append(exposed[service.name()], port["targetPort"])
			}
		}
		require.Len(t, exposed, 2)
		for name, targets := range exposed {
			require.Len(t, targets, 1, "metrics and console never share a Service with the webhooks")
			if targets[0] == "admin" {
				require.Equal(t, "ClusterIP", s.named("Service", name).at("spec")["type"])
			}
		}
	})
}

// webhookPort requires that the backend is the Service for webhooks.
func webhookPort(t *testing.T, s setup, name, port any) {
	t.Helper()
	text, _ := name.(string)
	service := s.named("Service", text)
	require.NotNil(t, service, name)
	for _, p := range service.list("spec", "ports") {
		if p["name"] == port || p["port"] == port {
			require.Equal(t, "http", p["targetPort"])
			return
		}
	}
	require.FailNow(t, "no such port", "%v of %v", port, name)
}

func TestTheInternetSeesWebhooksOnly(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, s := range setups(t) {
		for _, ingress := range s.of("Ingress") {
			for _, rule := range ingress.list("spec", "rules") {
				for _, path := range rule.list("http", "paths") {
					backend := path.at("backend", "service")
					webhookPort(t, s, backend["name"], backend.at("port")["name"])
					require.Equal(t, "/webhooks", path["path"])
					checked++
				}
			}
		}
		for _, route := range s.of("HTTPRoute") {
			for _, rule := range route.list("spec", "rules") {
				for _, backend := range rule.list("backendRefs") {
					webhookPort(t, s, backend["name"], backend["port"])
					checked++
				}
			}
		}
	}
	require.GreaterOrEqual(t, checked, 3)
}

func TestOtherObjectsAreNamedRight(t *testing.T) {
	t.Parallel()
	eachSetup(t, func(t *testing.T, s setup) {
		for _, set := range s.of("StatefulSet") {
			service, _ := set.at("spec")["serviceName"].(string)
			require.Equal(t, "None", s.named("Service", service).at("spec")["clusterIP"])
		}
		for _, scaler := range s.of("HorizontalPodAutoscaler") {
			target := scaler.at("spec", "scaleTargetRef")
			name, _ := target["name"].(string)
			require.NotNil(t, s.named("Deployment", name))
			require.NotContains(t, s.named("Deployment", name).at("spec"), "replicas", "an upgrade would undo the scaling")
		}
		account, _ := s.server(t).at("spec")["serviceAccountName"].(string)
		if accounts := s.of("ServiceAccount"); len(accounts) > 0 {
			require.Equal(t, accounts[0].name(), account)
			require.Equal(t, false, accounts[0]["automountServiceAccountToken"])
		}
		for _, source := range find(s.server(t).list("spec", "containers"), "polar-bridge").list("envFrom") {
			name, _ := source.at("configMapRef")["name"].(string)
			require.NotNil(t, s.named("ConfigMap", name), name)
		}
	})
}

func TestServiceMonitorsFindTheMetrics(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, s := range setups(t) {
		for _, monitor := range s.of("ServiceMonitor") {
			var found []object
			for _, service := range s.of("Service") {
				if selects(monitor.at("spec", "selector", "matchLabels"), service.at("metadata", "labels")) {
					found = append(found, service)
				}
			}
			require.Len(t, found, 1)
			require.Equal(t, []any{found[0].at("metadata")["namespace"]}, monitor.at("spec", "namespaceSelector")["matchNames"])
			for _, endpoint := range monitor.list("spec", "endpoints") {
				port := find(found[0].list("spec", "ports"), endpoint["port"])
				require.Equal(t, "admin", port["targetPort"])
				checked++
			}
		}
	}
	require.Positive(t, checked)
}

// promtool tests the files, so what is rendered must be the same rules.
func TestRulesReachPrometheusAsTheyAreInTheFile(t *testing.T) {
	t.Parallel()
	s := setupNamed(t, "monitoring")
	var rendered []object
	for _, group := range s.of("PrometheusRule")[0].list("spec", "groups") {
		rendered = append(rendered, group.list("rules")...)
	}
	for _, file := range []string{"polar-bridge", "polar-bridge-optional"} {
		text, err := os.ReadFile("../../helm/rules/" + file + ".yaml")
		require.NoError(t, err)
		var content object
		require.NoError(t, yaml.Unmarshal(text, &content))
		for _, group := range content.list("groups") {
			for _, rule := range group.list("rules") {
				if rule["alert"] == "PolarBridgeTargetDown" { // disabled there
					require.NotContains(t, s.text, "alert: PolarBridgeTargetDown\n")
					continue
				}
				if rule["alert"] != nil {
					rule.at("labels")["team"] = "billing"
				}
				require.Contains(t, rendered, rule)
			}
		}
	}
}
