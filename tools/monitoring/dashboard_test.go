package monitoring_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type target struct {
	RefID        string `json:"refId"`
	Expr         string `json:"expr"`
	LegendFormat string `json:"legendFormat"`
}

type panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Datasource  struct {
		Type string `json:"type"`
		UID  string `json:"uid"`
	} `json:"datasource"`
	Targets []target `json:"targets"`
	Panels  []panel  `json:"panels"`
}

type dashboard struct {
	UID           string  `json:"uid"`
	Title         string  `json:"title"`
	SchemaVersion int     `json:"schemaVersion"`
	ID            *int    `json:"id"`
	Panels        []panel `json:"panels"`
	Templating    struct {
		List []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Query any    `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

func readDashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	paths, err := filepath.Glob(dashboards)
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	all := map[string]dashboard{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotContains(t, string(text), "__inputs", "the chart cannot answer questions")
		var d dashboard
		require.NoError(t, json.Unmarshal(text, &d), path)
		all[path] = d
	}
	return all
}

// panels returns the panels of all dashboards, without the rows.
func panels(t *testing.T) []panel {
	t.Helper()
	var all []panel
	for _, d := range readDashboards(t) {
		for _, p := range d.Panels {
			all = append(all, p.Panels...)
			if p.Type != "row" {
				all = append(all, p)
			}
		}
	}
	return all
}

func TestTheDashboardCanBeShippedAsItIs(t *testing.T) {
	t.Parallel()
	for path, d := range readDashboards(t) {
		require.Equal(t, strings.TrimSuffix(filepath.Base(path), ".json"), d.UID, "links to it must not break")
		require.Nil(t, d.ID, "an id belongs to one Grafana")
		require.Positive(t, d.SchemaVersion)
		require.NotEmpty(t, d.Templating.List)
		require.Equal(t, "datasource", d.Templating.List[0].Type)
	}
}

// expand replaces Grafana's variables by something that parses.
func expand(expression string) string {
	return strings.NewReplacer("$__rate_interval", "5m", "$__interval", "1m", "$__range", "1h").Replace(expression)
}

func TestEveryPanelSpeaksOfWhatTheProgramMeasures(t *testing.T) {
	t.Parallel()
	words := recorded(t)
	words["ALERTS"] = series{"alertname": {}, "alertstate": {"firing": true, "pending": true}, "severity": {}, "namespace": nil, "job": nil, "reason": nil, "provider": nil}
	for _, r := range alerts(t) {
		words["ALERTS"]["alertname"][r.Alert] = true
		words["ALERTS"]["severity"][r.Labels["severity"]] = true
	}
	seen := map[int]bool{}
	for _, p := range panels(t) {
		require.NotEmpty(t, p.Title)
		require.False(t, seen[p.ID], "two panels have the id %d", p.ID)
		seen[p.ID] = true
		require.Regexp(t, `^[A-Z].*\.$`, p.Description, p.Title)
		require.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			have, problems := check(words, expand(target.Expr))
			require.Empty(t, problems, p.Title)
			require.NotRegexp(t, `(rate|increase)\([^[]*\[[0-9]`, target.Expr, "%s: a fixed window is empty or blind at some zoom", p.Title)
			for _, name := range regexp.MustCompile(`{{ *(\w+) *}}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				require.True(t, have[name[1]], "%s: no label %q for the legend", p.Title, name[1])
			}
		}
	}
}

func TestEveryVariableOfTheDashboardExists(t *testing.T) {
	t.Parallel()
	words := program(t)
	question := regexp.MustCompile(`^label_values\((\w+)(?:\{.*\})?, (\w+)\)$`)
	for path, d := range readDashboards(t) {
		known := map[string]bool{"__rate_interval": true, "__range": true, "__all": true}
		for _, variable := range d.Templating.List {
			known[variable.Name] = true
			if variable.Type != "query" {
				continue
			}
			asked, ok := variable.Query.(string)
			require.True(t, ok, variable.Name)
			parts := question.FindStringSubmatch(asked)
			require.NotNil(t, parts, asked)
			require.True(t, words.of(parts[1])[parts[2]], asked)
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, used := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(string(text), -1) {
			require.True(t, known[used[1]], "no variable %q", used[1])
		}
	}
}
