//go:build chart

package chart_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Restricted Pod Security, and a little more:
// https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
func TestPodsAreLockedDown(t *testing.T) {
	t.Parallel()
	eachSetup(t, func(t *testing.T, s setup) {
		for name, pod := range s.pods(t) {
			spec := pod.at("spec")
			require.Equal(t, true, spec.at("securityContext")["runAsNonRoot"], name)
			require.Equal(t, "RuntimeDefault", spec.at("securityContext", "seccompProfile")["type"], name)
			require.Equal(t, false, spec["automountServiceAccountToken"], name)
			require.Equal(t, false, spec["enableServiceLinks"], name)
			for _, key := range []string{"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} {
				require.NotContains(t, spec, key, name)
			}
			for _, volume := range spec.list("volumes") {
				require.NotContains(t, volume, "hostPath", name)
			}
			for _, c := range pod.containers() {
				context := c.at("securityContext")
				require.Equal(t, false, context["allowPrivilegeEscalation"], c["name"])
				require.Equal(t, true, context["readOnlyRootFilesystem"], c["name"])
				require.Equal(t, []any{"ALL"}, context.at("capabilities")["drop"], c["name"])
				require.NotContains(t, context.at("capabilities"), "add", c["name"])
				require.NotContains(t, context, "privileged", c["name"])
			}
		}
	})
}

func TestContainersAreBoundedAndWatched(t *testing.T) {
	t.Parallel()
	eachSetup(t, func(t *testing.T, s setup) {
		for _, pod := range s.pods(t) {
			for _, c := range pod.containers() {
				require.Contains(t, c.at("resources", "requests"), "cpu", c["name"])
				require.Contains(t, c.at("resources", "requests"), "memory", c["name"])
				image, _ := c["image"].(string)
				_, tag, tagged := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
				require.True(t, tagged, image)
				require.NotEqual(t, "latest", tag)
			}
		}
		server := find(s.server(t).list("spec", "containers"), "polar-bridge")
		require.Contains(t, server.at("resources", "limits"), "memory")
		for probe, path := range map[string]string{"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"} {
			get := server.at(probe, "httpGet")
			require.Equal(t, path, get["path"], probe)
			require.NotNil(t, find(server.list("ports"), get["port"]), probe)
		}
		for _, c := range s.server(t).list("spec", "containers") {
			require.Contains(t, c, "livenessProbe", c["name"])
			require.Contains(t, c, "readinessProbe", c["name"])
		}
	})
}

func TestNoVariableStandsTwice(t *testing.T) {
	t.Parallel()
	eachSetup(t, func(t *testing.T, s setup) {
		for _, pod := range s.pods(t) {
			for _, c := range pod.containers() {
				seen := map[any]bool{}
				for _, variable := range c.list("env") {
					require.False(t, seen[variable["name"]], variable["name"])
					seen[variable["name"]] = true
				}
			}
		}
	})
}

func TestMountsHaveVolumes(t *testing.T) {
	t.Parallel()
	eachSetup(t, func(t *testing.T, s setup) {
		volumes := s.server(t).list("spec", "volumes")
		for _, set := range s.of("StatefulSet") {
			for _, claim := range set.list("spec", "volumeClaimTemplates") {
				volumes = append(volumes, object{"name": claim.name()})
			}
		}
		for _, c := range s.server(t).containers() {
			for _, mount := range c.list("volumeMounts") {
				require.NotNil(t, find(volumes, mount["name"]), mount["name"])
			}
		}
	})
}

// Stopping: the delay, 10 s for requests, 12 s for attempts (internal/app), and
// some for the rest.
func TestPodsHaveTimeToStop(t *testing.T) {
	t.Parallel()
	eachSetup(t, func(t *testing.T, s setup) {
		const requests, attempts, rest = 10, 12, 5
		seconds, ok := s.server(t).at("spec")["terminationGracePeriodSeconds"].(int)
		require.True(t, ok)
		delay := int(s.settings(t).HTTP.ShutdownDelay.Seconds())
		require.Positive(t, delay)
		require.GreaterOrEqual(t, seconds, delay+requests+attempts+rest)
	})
}
