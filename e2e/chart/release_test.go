//go:build chart

package chart_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// template renders a chart as scripts/chart-test does.
func template(t *testing.T, chart string, args ...string) (string, error) {
	t.Helper()
	args = append([]string{"template", "release", chart, "--namespace", "shop", "--kube-version", "1.30.0"}, args...)
	out, err := exec.CommandContext(t.Context(), os.Getenv("HELM"), args...).CombinedOutput()
	return string(out), err
}

func valuesOf(setup string) string { return "--values=../../helm/ci/" + setup + "-values.yaml" }

func TestASetupRenderedTwiceIsTheSame(t *testing.T) {
	t.Parallel()
	eachSetup(t, func(t *testing.T, s setup) {
		again, err := template(t, "../../helm", valuesOf(s.name))
		require.NoError(t, err, again)
		require.Equal(t, s.text, again)
	})
}

// immutable returns what Kubernetes refuses to change in an object that is there, and
// the names, because another name is another object.
func immutable(o object) object {
	fields := object{"kind": o["kind"], "name": o.name(), "namespace": o.at("metadata")["namespace"]}
	switch o["kind"] {
	case "Deployment":
		fields["selector"] = o.at("spec")["selector"]
	case "StatefulSet":
		spec := maps.Clone(o.at("spec"))
		for _, key := range []string{"replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"} {
			delete(spec, key)
		}
		fields["spec"] = spec
	case "Service":
		for _, key := range []string{"clusterIP", "selector", "loadBalancerClass"} {
			if value, set := o.at("spec")[key]; set {
				fields[key] = value
			}
		}
	case "Secret":
		fields["type"] = o["type"]
	}
	return fields
}

// What 0.1.0 made must be what an upgrade can go on with. Before 0.1.0 is released
// UPDATE=1 writes the file; afterwards a change in it is a breaking one.
func TestAnUpgradeTouchesNoImmutableField(t *testing.T) {
	t.Parallel()
	const file = "testdata/immutable-0.1.0.yaml"
	fields := map[string][]object{}
	for _, s := range setups(t) {
		for _, o := range s.of("Deployment", "StatefulSet", "Service", "ConfigMap", "Secret", "ServiceAccount") {
			fields[s.name] = append(fields[s.name], immutable(o))
		}
	}
	rendered, err := yaml.Marshal(fields)
	require.NoError(t, err)
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(file, rendered, 0o600))
	}
	first, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(first), string(rendered))
}

func TestAParentChartSwitchesItOnAndOff(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(parent, "Chart.yaml"), []byte(`apiVersion: v2
name: parent
version: 1.0.0
dependencies:
  - {name: polar-bridge, version: 0.x.x, repository: "", condition: polar-bridge.enabled}
`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(parent, "values.yaml"), []byte(`global: {other: {a: b}, imagePullSecrets: [{name: mirror}]}
polar-bridge:
  polar: {existingSecret: a, anonymize: true}
  providers: {clerk: {existingSecret: a}}
  extraEnv: [{name: LOG_LEVEL, value: debug}]
`), 0o600))
	require.NoError(t, os.CopyFS(filepath.Join(parent, "charts", "polar-bridge"), os.DirFS("../../helm")))
	for enabled, kinds := range map[string]int{"true": 1, "false": 0} {
		out, err := template(t, parent, "--set", "polar-bridge.enabled="+enabled)
		require.NoError(t, err, out)
		require.Equal(t, kinds, strings.Count(out, "kind: StatefulSet\n"))
		require.Equal(t, kinds, strings.Count(out, "value: \"debug\""))
	}
}

// paths returns the names of all values, such as "polar.server".
func paths(values object, prefix string) []string {
	var all []string
	for key, value := range values {
		all = append(all, prefix+key)
		if group, ok := value.(object); ok {
			all = append(all, paths(group, prefix+key+".")...)
		}
	}
	slices.Sort(all)
	return all
}

// A null takes a value away: what is then missing is taken for empty, or refused by name.
func TestANullIsTakenOrRefusedByName(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../helm/values.yaml")
	require.NoError(t, err)
	var values object
	require.NoError(t, yaml.Unmarshal(text, &values))
	for _, path := range paths(values, "") {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			out, err := template(t, "../../helm", valuesOf("minimal"), "--set", path+"=null")
			if err != nil {
				last := path[strings.LastIndex(path, ".")+1:]
				require.Contains(t, out, last, "the value that is missing")
				require.NotRegexp(t, `nil pointer|wrong type|error calling [^f]|nil data|can't evaluate|incompatible types`, out)
				return
			}
			require.NotRegexp(t, `(?m): *(null|<nil>)?$\n^( *)[^ -].*\z|%!|<no value>|<nil>|: null$`, out)
		})
	}
}
