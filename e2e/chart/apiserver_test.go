//go:build chart

package chart_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cluster is an API server of Kubernetes: it validates and stores, and runs nothing.
type cluster struct{ kubeconfig string }

// startCluster starts tools/apiserver with the definitions that helm/ci needs, and a
// namespace for each name, in which only restricted pods are allowed.
func startCluster(t *testing.T, namespaces []string) cluster {
	t.Helper()
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	command := exec.CommandContext(ctx, os.Getenv("APISERVER"), folder)
	logs, err := os.Create(filepath.Join(folder, "log"))
	require.NoError(t, err)
	command.Stderr = logs
	_, err = command.StdinPipe() // it ends with us
	require.NoError(t, err)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() { cancel(); _ = command.Wait(); _ = logs.Close() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		text, _ := os.ReadFile(logs.Name())
		require.FailNow(t, "no API server", "%s", text)
	}
	require.Equal(t, "ready\n", line)

	c := cluster{kubeconfig: filepath.Join(folder, "kubeconfig")}
	chart := filepath.Join(folder, "chart")
	require.NoError(t, os.CopyFS(filepath.Join(chart, "crds"), os.DirFS(os.Getenv("CRDS"))))
	require.NoError(t, os.Mkdir(filepath.Join(chart, "templates"), 0o700))
	var objects strings.Builder
	for _, name := range namespaces {
		fmt.Fprintf(&objects, "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/warn: restricted}}\n", name)
	}
	require.NoError(t, os.WriteFile(filepath.Join(chart, "templates", "namespaces.yaml"), []byte(objects.String()), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(chart, "Chart.yaml"), []byte("apiVersion: v2\nname: cluster\nversion: 1.0.0\n"), 0o600))
	said, err := c.helm(t, "HELM", "install", "cluster", chart)
	require.NoError(t, err, said)
	return c
}

func (c cluster) helm(t *testing.T, which string, args ...string) (string, error) {
	t.Helper()
	const patience = 2 * time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, os.Getenv(which), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig)
	out, err := command.CombinedOutput()
	return string(out), err
}

// Helm hands what it renders to the API server's own validation and storage, installs,
// upgrades and rolls back; a field that cannot be changed ends an upgrade.
func TestAnAPIServerTakesEverySetup(t *testing.T) {
	t.Parallel()
	helms := []string{"HELM", "HELM3"}
	namespaces := []string{"shop", "monitoring", "grafana"}
	for _, s := range setups(t) {
		for _, helm := range helms {
			namespaces = append(namespaces, s.name+"-"+strings.ToLower(helm))
		}
	}
	c := startCluster(t, namespaces)
	for _, helm := range helms {
		eachSetup(t, func(t *testing.T, s setup) {
			if helm == "HELM3" && s.name != "minimal" && s.name != "scaled" {
				return // one of each shape: that both Helms render the same scripts/chart-test compares
			}
			release := func(does string, args ...string) (string, error) {
				return c.helm(t, helm, append([]string{does, "release", "--namespace", s.name + "-" + strings.ToLower(helm)}, args...)...)
			}
			must := func(does string, args ...string) {
				out, err := release(does, args...)
				require.NoError(t, err, out)
				require.NotContains(t, out, "violate PodSecurity")
				require.NotContains(t, out, "unknown field")
			}
			// Objects in a namespace that is named are the same ones for both Helms.
			own := []string{"../../helm", valuesOf(s.name), "--set=namespaceOverride="}
			must("install", own...)
			must("upgrade", append(own, "--set=image.tag=bad")...)
			must("rollback", "1")
			must("upgrade", own...)
			if len(s.of("StatefulSet")) > 0 {
				out, err := release("upgrade", append(own, "--set=database.type=postgres,database.existingSecret=db")...)
				require.Error(t, err)
				require.Contains(t, out, "database.type=postgres would remove it and move no data")
			}
			if s.name == "minimal" {
				out, err := release("upgrade", append(own, "--set=persistence.size=9Gi")...)
				require.Error(t, err)
				require.Contains(t, out, `was made with persistence.size "2Gi"`)
			}
			must("uninstall")
		})
	}
}
