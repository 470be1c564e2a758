//go:build chart

package chart_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// object is one of Kubernetes, or a part of one.
type object map[string]any

// setup is what the chart rendered for one file of values.
type setup struct {
	name    string
	text    string
	objects []object
}

// eachSetup runs a test for every set-up.
func eachSetup(t *testing.T, test func(*testing.T, setup)) {
	t.Helper()
	const atLeast = 10
	setups := setups(t)
	require.GreaterOrEqual(t, len(setups), atLeast, "run scripts/chart-test")
	for _, s := range setups {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

// setups reads what scripts/chart-test rendered.
func setups(t *testing.T) []setup {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(os.Getenv("RENDERED"), "*.yaml"))
	require.NoError(t, err)
	var all []setup
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		s := setup{name: strings.TrimSuffix(filepath.Base(file), ".yaml"), text: string(text)}
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		for {
			var o object
			err := decoder.Decode(&o)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, file)
			if o != nil {
				s.objects = append(s.objects, o)
			}
		}
		all = append(all, s)
	}
	return all
}

// setupNamed returns one set-up.
func setupNamed(t *testing.T, name string) setup {
	t.Helper()
	for _, s := range setups(t) {
		if s.name == name {
			return s
		}
	}
	require.FailNow(t, "no such set-up", name)
	return setup{}
}

// of returns the objects of the kinds.
func (s setup) of(kinds ...string) []object {
	var found []object
	for _, o := range s.objects {
		for _, kind := range kinds {
			if o["kind"] == kind {
				found = append(found, o)
			}
		}
	}
	return found
}

// named returns the object of a kind and name, nil if there is none.
func (s setup) named(kind, name string) object {
	for _, o := range s.of(kind) {
		if o.name() == name {
			return o
		}
	}
	return nil
}

// server returns the pod of the Deployment or StatefulSet.
func (s setup) server(t *testing.T) object {
	t.Helper()
	workloads := s.of("Deployment", "StatefulSet")
	require.Len(t, workloads, 1)
	return workloads[0].at("spec", "template")
}

// pods returns all pods: the server's and that of helm test.
func (s setup) pods(t *testing.T) map[string]object {
	t.Helper()
	pods := map[string]object{"server": s.server(t)}
	for _, pod := range s.of("Pod") {
		pods["test"] = pod
	}
	return pods
}

func (o object) name() string {
	name, _ := o.at("metadata")["name"].(string)
	return name
}

// at returns the map at the path, nil where there is none.
func (o object) at(path ...string) object {
	for _, key := range path {
		next, _ := o[key].(object)
		o = next
	}
	return o
}

// list returns the maps in the list at the path.
func (o object) list(path ...string) []object {
	last := len(path) - 1
	items, _ := o.at(path[:last]...)[path[last]].([]any)
	var all []object
	for _, item := range items {
		if m, ok := item.(object); ok {
			all = append(all, m)
		}
	}
	return all
}

// containers returns those of a pod, init containers included.
func (o object) containers() []object {
	return append(o.list("spec", "initContainers"), o.list("spec", "containers")...)
}

// find returns the item of the list with that name, nil if there is none.
func find(list []object, name any) object {
	for _, item := range list {
		if item["name"] == name {
			return item
		}
	}
	return nil
}

// selects reports whether the labels have all that the selector asks for.
func selects(selector, labels object) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return len(selector) > 0
}
