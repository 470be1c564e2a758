package monitoring_test

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

// checker finds what an expression says and the program does not.
type checker struct {
	words    vocabulary
	problems []string
}

func (c *checker) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// check returns the labels of an expression's result and what is wrong with it.
func check(words vocabulary, expression string) (values, []string) {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		return nil, []string{err.Error()}
	}
	c := &checker{words: words}
	return c.labels(parsed), c.problems
}

// labels returns the labels that a result has; nil for a plain number.
func (c *checker) labels(node parser.Node) values {
	switch n := node.(type) {
	case *parser.VectorSelector:
		return c.selector(n)
	case *parser.AggregateExpr:
		return c.aggregate(n)
	case *parser.BinaryExpr:
		return c.binary(n)
	case *parser.Call:
		return c.call(n)
	}
	var all values
	for child := range parser.ChildrenIter(node) {
		all = union(all, c.labels(child))
	}
	return all
}

func (c *checker) selector(n *parser.VectorSelector) values {
	known, ok := c.words[n.Name]
	if !ok {
		c.problem("no metric %q", n.Name)
		return nil
	}
	for _, m := range n.LabelMatchers {
		if m.Name == "__name__" {
			continue
		}
		allowed, ok := known[m.Name]
		if !ok {
			c.problem("%s has no label %q", n.Name, m.Name)
			continue
		}
		// A variable of the dashboard and a pattern over any value say nothing.
		if allowed == nil || strings.HasPrefix(m.Value, "$") || m.Value == "" {
			continue
		}
		for _, wanted := range alternatives(m) {
			if !allowed.match(wanted) {
				c.problem("label %s of %s is never %q", m.Name, n.Name, wanted)
			}
		}
	}
	return c.words.of(n.Name)
}

// alternatives are the values that a matcher names, each as a pattern.
func alternatives(m *labels.Matcher) []string {
	if m.Type == labels.MatchEqual || m.Type == labels.MatchNotEqual {
		return []string{regexp.QuoteMeta(m.Value)}
	}
	return strings.Split(m.Value, "|")
}

func (v values) match(pattern string) bool {
	whole, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return false
	}
	for value := range v {
		if whole.MatchString(value) {
			return true
		}
	}
	return false
}

func (c *checker) aggregate(n *parser.AggregateExpr) values {
	inner := c.labels(n.Expr)
	c.want(inner, n.Grouping, n)
	result := values{}
	for _, label := range n.Grouping {
		result[label] = true
	}
	if !n.Without {
		return result
	}
	rest := maps.Clone(inner)
	maps.DeleteFunc(rest, func(label string, _ bool) bool { return result[label] })
	return rest
}

func (c *checker) binary(n *parser.BinaryExpr) values {
	left, right := c.labels(n.LHS), c.labels(n.RHS)
	if m := n.VectorMatching; m != nil && m.On {
		c.want(left, m.MatchingLabels, n.LHS)
		c.want(right, m.MatchingLabels, n.RHS)
	}
	switch {
	case left == nil:
		return right
	case n.Op == parser.LOR:
		return union(left, right)
	}
	return left
}

func (c *checker) call(n *parser.Call) values {
	var all values
	for _, argument := range n.Args {
		all = union(all, c.labels(argument))
	}
	if n.Func.Name == "histogram_quantile" {
		c.want(all, []string{"le"}, n)
		all = maps.Clone(all)
		delete(all, "le")
	}
	return all
}

func (c *checker) want(have values, names []string, node parser.Node) {
	for _, name := range names {
		if !have[name] {
			c.problem("no label %q in %s", name, node)
		}
	}
}

func union(a, b values) values {
	if a == nil && b == nil {
		return nil
	}
	both := values{}
	maps.Copy(both, a)
	maps.Copy(both, b)
	return both
}

// The check itself: what it must find, and what it must let pass.
func TestAWrongMetricLabelOrValueIsFound(t *testing.T) {
	t.Parallel()
	words := program(t)
	for expression, problem := range map[string]string{
		`rate(polar_bridge_deletions_total[5m])`:                              "",
		`sum(`:                                                                "parse error",
		`polar_bridge_deletion_total`:                                         `no metric "polar_bridge_deletion_total"`,
		`polar_bridge_deletion_delay_seconds`:                                 "no metric",
		`polar_bridge_deletions_total{result="deleted"}`:                      `has no label "result"`,
		`polar_bridge_deletions_total{outcome="removed"}`:                     `is never "removed"`,
		`polar_bridge_deletions_total{outcome!="removed"}`:                    `is never "removed"`,
		`polar_bridge_deletions_total{outcome=~"deleted|gone"}`:               `is never "gone"`,
		`polar_bridge_deletions_total{outcome=~"deleted|not_.*"}`:             "",
		`polar_bridge_deletions_total{provider=~"$provider"}`:                 "",
		`polar_bridge_webhooks_total{provider="google"}`:                      `is never "google"`,
		`sum by (reason) (polar_bridge_deletions_total)`:                      `no label "reason"`,
		`sum without (reason) (polar_bridge_deletions_total)`:                 `no label "reason"`,
		`sum by (job) (up) / on (instance) up`:                                `no label "instance"`,
		`sum by (job) (sum by (namespace) (up))`:                              `no label "job"`,
		`polar_bridge_deletion_delay_seconds_bucket{le="901"}`:                `is never "901"`,
		`histogram_quantile(0.9, polar_bridge_deletion_delay_seconds_count)`:  `no label "le"`,
		`histogram_quantile(0.9, polar_bridge_deletion_delay_seconds_bucket)`: "",
		`time() - max by (job) (polar_bridge_deletions_pending) > 3`:          "",
	} {
		_, problems := check(words, expression)
		if problem == "" {
			require.Empty(t, problems, expression)
			continue
		}
		require.Len(t, problems, 1, expression)
		require.Contains(t, problems[0], problem, expression)
	}
}
