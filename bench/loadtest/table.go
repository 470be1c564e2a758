package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// metric is one line of the table.
type metric int

const (
	rate metric = iota
	fullP50
	fullP99
	steadyP50
	steadyP99
	cpuPerEvent
	endToEnd
	peakRSS
	startToReady
	idleLatency
	idleCPU
	emptyRate
	backlogRate
	backlogRSS
	backlogReady
	backlogMetrics
)

// line is a metric as people read it.
type line struct {
	metric metric
	text   string
	format string
	scale  float64
}

func lines() []line {
	const micro, milli, mega = 1e6, 1e3, 1e-6
	return []line{
		{rate, "webhooks answered 202 per second", "%.0f", 1},
		{fullP50, "answer at saturation, p50 (ms)", "%.1f", milli},
		{fullP99, "answer at saturation, p99 (ms)", "%.1f", milli},
		{steadyP50, "answer at 100/s, p50 (ms)", "%.1f", milli},
		{steadyP99, "answer at 100/s, p99 (ms)", "%.1f", milli},
		{cpuPerEvent, "CPU per event, webhook to deletion (µs)", "%.0f", micro},
		{endToEnd, "deletions per second, end to end", "%.0f", 1},
		{peakRSS, "peak memory (MB)", "%.0f", mega},
		{startToReady, "start to ready, existing database (ms)", "%.0f", milli},
		{idleLatency, "idle: 202 to DELETE, median (ms)", "%.1f", milli},
		{idleCPU, "idle: CPU (% of a core)", "%.2f", 100},
		{emptyRate, "202 per second, nothing waits", "%.0f", 1},
		{backlogRate, "202 per second, backlog waits", "%.0f", 1},
		{backlogRSS, "backlog: peak memory (MB)", "%.0f", mega},
		{backlogReady, "backlog: slowest /readyz (ms)", "%.1f", milli},
		{backlogMetrics, "backlog: slowest /metrics (ms)", "%.1f", milli},
	}
}

func printMachine(w io.Writer, o options) {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, after, _ := strings.Cut(string(text), "model name\t: ")
		model, _, _ = strings.Cut(after, "\n")
	}
	fmt.Fprintf(w, "%d cores (%s), shared with the sender and the local Polar; medians of %d rounds; backlog of %d\n\n",
		runtime.NumCPU(), model, o.rounds, o.backlog)
}

// printTable prints the medians, one column for each candidate.
func printTable(w io.Writer, candidates []*candidate) {
	table := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	defer table.Flush() //nolint:errcheck // for people
	fmt.Fprint(table, "| \t|")
	for _, c := range candidates {
		fmt.Fprintf(table, " %s\t|", c.name)
	}
	fmt.Fprintf(table, "\n|---\t|%s\n", strings.Repeat("---:\t|", len(candidates)))
	for _, l := range lines() {
		fmt.Fprintf(table, "| %s\t|", l.text)
		for _, c := range candidates {
			value := "–"
			if median, ok := c.measured.median(l.metric); ok {
				value = fmt.Sprintf(l.format, median*l.scale)
			}
			fmt.Fprintf(table, " %s\t|", value)
		}
		fmt.Fprintln(table)
	}
}

// goal is a bound that the program is meant to keep, in the table's units. With
// against it is a multiple of another candidate's or metric's value.
type goal struct {
	candidate string
	metric    metric
	against   string
	of        metric
	atLeast   bool
	bound     float64
}

func goals() []goal {
	all := []goal{
		{"SQLite", rate, "hono", rate, true, 2},
		{"SQLite", cpuPerEvent, "hono", cpuPerEvent, false, 0.75},
		{"Postgres", rate, "hono", rate, true, 2},
		{"Postgres", cpuPerEvent, "hono", cpuPerEvent, false, 0.5},
	}
	for _, name := range []string{"SQLite", "Postgres"} {
		all = append(all,
			goal{candidate: name, metric: steadyP99, bound: 0.010},
			goal{candidate: name, metric: peakRSS, bound: 80e6},
			goal{candidate: name, metric: startToReady, bound: 0.3},
			goal{candidate: name, metric: idleLatency, bound: 0.060},
			goal{candidate: name, metric: idleCPU, bound: 0.025},
			goal{name, backlogRate, name, emptyRate, true, 0.9},
			goal{candidate: name, metric: backlogRSS, bound: 120e6},
			goal{candidate: name, metric: backlogReady, bound: 0.1},
			goal{candidate: name, metric: backlogMetrics, bound: 0.1},
		)
	}
	return all
}

// printGoals says of each goal whether it was kept.
func printGoals(w io.Writer, candidates []*candidate) {
	find := func(name string, m metric) (float64, bool) {
		for _, c := range candidates {
			if c.name == name {
				return c.measured.median(m)
			}
		}
		return 0, false
	}
	text := func(m metric) line {
		all := lines()
		return all[slices.IndexFunc(all, func(l line) bool { return l.metric == m })]
	}
	fmt.Fprintln(w)
	for _, g := range goals() {
		value, ok := find(g.candidate, g.metric)
		l, unit := text(g.metric), ""
		scale := l.scale
		if g.against != "" {
			other, known := find(g.against, g.of)
			value, ok, scale = value/other, ok && known, 1
			unit = " × " + g.against
			if g.against == g.candidate {
				unit = " × " + text(g.of).text
			}
		}
		if !ok {
			continue
		}
		result, sign := "ok", "≤"
		if g.atLeast {
			sign = "≥"
		}
		if g.atLeast && value < g.bound || !g.atLeast && value > g.bound {
			result = "MISSED"
		}
		fmt.Fprintf(w, "%-6s  %s: %s: %.3g%s (%s %.3g)\n", result, g.candidate, l.text, value*scale, unit, sign, g.bound*scale)
	}
}
