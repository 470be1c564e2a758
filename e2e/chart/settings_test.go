//go:build chart

package chart_test

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

// Settings of the program that deliberately have no place in the chart.
func withoutPlace() map[string]string {
	return map[string]string{
		"CLERK_API_URL": "for tests on loopback; extraEnv can set it",
	}
}

// Variables of the chart that are no settings of the program.
func noSettings() []string { return []string{"GOMEMLIMIT", "HTTPS_PROXY", "NODE_NAME"} }

// variables returns what the server's container has in its environment: first
// the ConfigMap's, then its own, which win.
func (s setup) variables(t *testing.T) map[string]string {
	t.Helper()
	variables := map[string]string{}
	server := find(s.server(t).list("spec", "containers"), "polar-bridge")
	for _, source := range server.list("envFrom") {
		name, _ := source.at("configMapRef")["name"].(string)
		for key, value := range s.named("ConfigMap", name).at("data") {
			text, ok := value.(string)
			require.True(t, ok, key)
			if strings.ToUpper(key) == key && name != "more" {
				variables[key] = text
			}
		}
	}
	for _, variable := range server.list("env") {
		name, _ := variable["name"].(string)
		variables[name], _ = variable["value"].(string)
	}
	return variables
}

// secretContent is a file that the program takes for the setting.
func secretContent(setting string) string {
	switch setting {
	case "DATABASE_URL", "AUTH_DATABASE_URL":
		return "postgres://user:password@host/name"
	case "NOTIFY_URL":
		return "https://hooks.example.com/services/0123456789"
	}
	const key = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
	return key
}

// settings loads the pod's environment as serve does.
func (s setup) settings(t *testing.T) *config.Config {
	t.Helper()
	variables := s.variables(t)
	all, err := settings.Read(config.Env{
		Getenv: func(name string) string { return variables[name] },
		ReadFile: func(path string) ([]byte, error) {
			folder, setting := filepath.Split(path)
			if folder != "/etc/polar-bridge/" && folder != "/vault/secrets/" {
				return nil, fs.ErrNotExist
			}
			return []byte(secretContent(setting)), nil
		},
	}, provider.Options{Now: time.Now})
	require.NoError(t, err)
	return all.Config
}

func TestTheProgramTakesWhatTheChartRenders(t *testing.T) {
	t.Parallel()
	eachSetup(t, func(t *testing.T, s setup) { s.settings(t) })
}

func TestEverySettingHasAPlaceInTheChart(t *testing.T) {
	t.Parallel()
	rendered := map[string]bool{}
	for _, s := range setups(t) {
		for name := range s.variables(t) {
			rendered[strings.TrimSuffix(name, "_FILE")] = true
		}
	}
	known := map[string]bool{}
	for _, entry := range settings.New(provider.Options{}).Summary() {
		known[entry.Name] = true
		reason, none := withoutPlace()[entry.Name]
		require.NotEqual(t, none, rendered[entry.Name], "%s must have a place in the chart, or else a reason in withoutPlace (%q)", entry.Name, reason)
	}
	for _, name := range noSettings() {
		known[name] = true
	}
	for name := range rendered {
		require.True(t, known[name], "%s is no setting of the program", name)
	}
}

// Values that merely repeat a default of the program must not drift from it.
func TestTheChartsDefaultsAreTheProgramsDefaults(t *testing.T) {
	t.Parallel()
	program := settings.New(provider.Options{})
	require.NoError(t, config.NewLoader(config.Env{Getenv: func(string) string { return "" }}).Parse(program.Config))
	different := map[string]string{}
	rendered := setupNamed(t, "minimal").settings(t).Summary()
	for i, entry := range program.Summary() {
		require.Equal(t, entry.Name, rendered[i].Name)
		if entry.Value != rendered[i].Value {
			different[entry.Name] = rendered[i].Value
		}
	}
	require.Equal(t, map[string]string{
		"POLAR_ANONYMIZE": "true", "POLAR_ACCESS_TOKEN": "set", "CLERK_WEBHOOK_SIGNING_SECRET": "set",
		"DATABASE_URL": "set", "ADMIN_ADDR": ":9090", "SHUTDOWN_DELAY": "5s",
	}, different)
}

// Settings are read at start only, so a pod with others must be another pod.
func TestOtherSettingsMakeAnotherPod(t *testing.T) {
	t.Parallel()
	of := map[string]string{} // checksums by settings
	all := setups(t)
	for _, s := range all {
		data, err := yaml.Marshal(s.of("ConfigMap")[0].at("data"))
		require.NoError(t, err)
		sum, ok := s.server(t).at("metadata", "annotations")["checksum/config"].(string)
		require.True(t, ok)
		if known, seen := of[string(data)]; seen {
			require.Equal(t, known, sum)
		}
		of[string(data)] = sum
	}
	different := map[string]bool{}
	for _, sum := range of {
		different[sum] = true
	}
	require.Len(t, different, len(of))
	require.Greater(t, len(of), len(all)/2)
}
