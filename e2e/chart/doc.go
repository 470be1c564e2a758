// Package chart tests what the chart in helm/ renders, for each of its set-ups in
// helm/ci: that the objects fit together, that the pods are locked down, that no
// secret stands where it does not belong, and that every setting of the program
// has its place.
//
// It must not know how the chart is written. Run it with scripts/chart-test, which
// renders the set-ups first.
package chart
