package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// worseBy is by how much the program may be worse than the baseline.
const worseBy = 0.05

// compared are the metrics that have a sample for each round.
func compared() []metric {
	return []metric{rate, fullP50, fullP99, steadyP50, steadyP99, cpuPerEvent, endToEnd, peakRSS}
}

// higherIsBetter says so of a metric.
func (m metric) higherIsBetter() bool {
	return m == rate || m == endToEnd || m == emptyRate || m == backlogRate
}

// ratios are the program's samples over the baseline's, of the same rounds, sorted.
func ratios(program, baseline []float64) []float64 {
	var all []float64
	for i, before := range baseline {
		if i < len(program) && before != 0 {
			all = append(all, program[i]/before)
		}
	}
	slices.Sort(all)
	return all
}

// interval returns the median of sorted values and the narrowest pair of them
// that holds the true median with 95 % confidence: how many of n values lie
// below it is binomial, whatever their distribution. With fewer than six values
// there is no such pair, and it is the whole range.
// https://en.wikipedia.org/wiki/Order_statistic#Confidence_intervals
func interval(sorted []float64) (low, median, high float64) {
	n := len(sorted)
	outside, term, rank := 0.0, 1.0, 0 // term is the chance of exactly rank below, times 2^n
	all := float64(uint64(1) << n)
	for outside+2*term/all <= 0.05 && rank < n/2 {
		outside += 2 * term / all
		term = term * float64(n-rank) / float64(rank+1)
		rank++
	}
	first := max(rank-1, 0)
	return sorted[first], (sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[n-1-first]
}

// printComparison prints how the program stands to the baseline, round by
// round. Worse is said only when the whole interval lies beyond the bound.
func printComparison(w io.Writer, candidates []*candidate) {
	fmt.Fprintf(w, "\nprogram / baseline: median of the rounds' ratios (95 %% interval); worse: the interval lies beyond %.0f %%\n\n", worseBy*100)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush() //nolint:errcheck // for people
	for _, c := range candidates {
		if c.baseline == nil {
			continue
		}
		for _, l := range lines() {
			all := ratios(c.measured[l.metric], c.baseline.measured[l.metric])
			if len(all) == 0 || !slices.Contains(compared(), l.metric) {
				continue
			}
			low, median, high := interval(all)
			fmt.Fprintf(table, "%s\t%s\t%s\t%.3f\t(%.3f to %.3f)\t%d rounds\n", status(l.metric, low, high), c.name, l.text, median, low, high, len(all))
		}
	}
}

// status says how the program stands to the baseline.
func status(m metric, low, high float64) string {
	if m.higherIsBetter() { // then a time's ratio is the other way round
		low, high = 1/high, 1/low
	}
	switch {
	case low > 1+worseBy:
		return "WORSE"
	case high < 1:
		return "better"
	}
	return "same"
}
