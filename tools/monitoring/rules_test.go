package monitoring_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const (
	root       = "../../"
	rulesGlob  = root + "helm/rules/*.yaml"
	testsGlob  = root + "helm/rules/tests/*.yaml"
	rulesFile  = root + "helm/rules/polar-bridge.yaml"
	dashboards = root + "helm/dashboards/*.json"
	runbook    = root + "docs/runbook.md"
	runbookURL = "https://github.com/polar-bridge/polar-bridge/blob/main/docs/runbook.md#"
)

// rule is an alert or a recording rule.
type rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

type group struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type ruleFile struct {
	Groups []group `yaml:"groups"`
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into), path)
}

// rules returns the rules of all files, recording rules first.
func rules(t *testing.T) []rule {
	t.Helper()
	paths, err := filepath.Glob(rulesGlob)
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	var all []rule
	for _, path := range paths {
		var file ruleFile
		readYAML(t, path, &file)
		for _, g := range file.Groups {
			all = append(all, g.Rules...)
		}
	}
	slices.SortStableFunc(all, func(a, b rule) int { return strings.Compare(b.Record, a.Record) })
	return all
}

func alerts(t *testing.T) []rule {
	t.Helper()
	return slices.DeleteFunc(rules(t), func(r rule) bool { return r.Alert == "" })
}

// recorded returns the program's metrics and those that the rules make of them.
func recorded(t *testing.T) vocabulary {
	t.Helper()
	words := program(t)
	for _, r := range rules(t) {
		if r.Record == "" {
			continue
		}
		result, problems := check(words, r.Expr)
		require.Empty(t, problems, r.Record)
		words[r.Record] = series{}
		for label := range result {
			words[r.Record][label] = nil
		}
	}
	return words
}

func TestEveryRuleSpeaksOfWhatTheProgramMeasures(t *testing.T) {
	t.Parallel()
	words := recorded(t)
	for _, r := range alerts(t) {
		have, problems := check(words, r.Expr)
		require.Empty(t, problems, r.Alert)
		have = union(have, values{})
		for label := range r.Labels {
			have[label] = true
		}
		for _, text := range r.Annotations {
			for _, name := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(text, -1) {
				require.True(t, have[name[1]], "%s: no label %q for %q", r.Alert, name[1], text)
			}
		}
	}
}

// A gauge of shared state is the same on every replica: a sum would count a
// deletion once for each of them.
func TestSharedStateIsNeverSummed(t *testing.T) {
	t.Parallel()
	expressions := map[string]string{}
	for _, r := range rules(t) {
		expressions[r.Alert+r.Record+r.Labels["severity"]] = r.Expr
	}
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			expressions[p.Title+target.RefID] = target.Expr
		}
	}
	shared := regexp.MustCompile(`(sum|count|avg)( by \([^)]*\))? \((\w+_over_time\()?polar_bridge_(deletions_pending|oldest_waiting|polar_paused)`)
	require.Regexp(t, shared, `sum by (job) (max_over_time(polar_bridge_deletions_pending{state="held"}[5m]))`)
	for name, expression := range expressions {
		require.NotRegexp(t, shared, expression, name)
	}
}

func TestEveryAlertSaysHowBadItIsAndWhatToDo(t *testing.T) {
	t.Parallel()
	for _, r := range alerts(t) {
		require.Regexp(t, `^PolarBridge[A-Z][A-Za-z]+$`, r.Alert)
		require.Contains(t, []string{"critical", "warning"}, r.Labels["severity"], r.Alert)
		require.Regexp(t, `^[A-Z].*\.$`, r.Annotations["summary"], r.Alert)
		require.Regexp(t, `^[A-Z{].*\.$`, r.Annotations["description"], r.Alert)
		require.Equal(t, runbookURL+strings.ToLower(r.Alert), r.Annotations["runbook_url"], r.Alert)
		require.Len(t, r.Annotations, 3, r.Alert)
	}
}

// sections returns the runbook's sections by heading.
func sections(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(runbook)
	require.NoError(t, err)
	parts := strings.Split(string(text), "\n## ")
	found := map[string]string{}
	for _, part := range parts[1:] {
		heading, body, _ := strings.Cut(part, "\n")
		found[heading] = body
	}
	return found
}

func TestTheRunbookHasASectionForEveryAlertAndNoOther(t *testing.T) {
	t.Parallel()
	found := sections(t)
	wanted := map[string]bool{}
	for _, r := range alerts(t) {
		wanted[r.Alert] = true
		require.NotEmpty(t, found[r.Alert], "docs/runbook.md has no section %s", r.Alert)
	}
	for heading, body := range found {
		require.True(t, wanted[heading], "docs/runbook.md: no alert is called %q", heading)
		for _, part := range []string{"**Symptom.**", "**Meaning.**", "**Look at.**", "**Do.**"} {
			require.True(t, strings.Contains(body, part), "docs/runbook.md: %s has no %s", heading, part) //nolint:testifylint // the text would be printed whole
		}
	}
}

// alertTest is the part of promtool's test files that says when an alert fires.
type alertTest struct {
	EvalTime  string `yaml:"eval_time"`
	AlertName string `yaml:"alertname"`
	ExpAlerts []struct {
		ExpLabels map[string]string `yaml:"exp_labels"`
	} `yaml:"exp_alerts"`
}

func (a *alertTest) fires(severity string) bool {
	for _, alert := range a.ExpAlerts {
		if alert.ExpLabels["severity"] == severity {
			return true
		}
	}
	return false
}

// promtool runs them; this sees to it that none is missing.
func TestEveryAlertIsSeenToStayQuietToFireAndToResolve(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(testsGlob)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, path := range paths {
		var file struct {
			Tests []struct {
				AlertRuleTest []alertTest `yaml:"alert_rule_test"`
			} `yaml:"tests"`
		}
		readYAML(t, path, &file)
		for _, test := range file.Tests {
			for name, story := range stories(test.AlertRuleTest) {
				if strings.Contains(story, "quiet fires") && strings.HasSuffix(story, "quiet") {
					seen[name] = true
				}
			}
		}
	}
	for _, r := range alerts(t) {
		require.True(t, seen[r.Alert+" "+r.Labels["severity"]], "%s (%s) has no test that sees it quiet, firing and resolved", r.Alert, r.Labels["severity"])
	}
}

// stories tells what each alert and severity does in one test, in the order of time.
func stories(tests []alertTest) map[string]string {
	told := map[string]string{}
	for _, test := range tests {
		for _, severity := range []string{"critical", "warning"} {
			what := "quiet"
			if test.fires(severity) {
				what = "fires"
			}
			name := fmt.Sprint(test.AlertName, " ", severity)
			told[name] = strings.TrimSpace(told[name] + " " + what)
		}
	}
	return told
}
