package main

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInterval(t *testing.T) {
	t.Parallel()
	t.Run("of ten values leaves out the lowest and the highest", func(t *testing.T) {
		t.Parallel()
		low, median, high := interval([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
		require.Equal(t, []float64{2, 5.5, 9}, []float64{low, median, high})
	})
	t.Run("of seventeen values leaves out four at each end", func(t *testing.T) {
		t.Parallel()
		values := make([]float64, 17)
		for i := range values {
			values[i] = float64(i + 1)
		}
		low, median, high := interval(values)
		require.Equal(t, []float64{5, 9, 13}, []float64{low, median, high})
	})
	t.Run("of fewer than six values is all of them", func(t *testing.T) {
		t.Parallel()
		low, median, high := interval([]float64{1, 2, 9})
		require.Equal(t, []float64{1, 2, 9}, []float64{low, median, high})
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		metric    metric
		low, high float64
		want      string
	}{
		"a rate that is lower beyond the bound is worse":      {rate, 0.90, 0.94, "WORSE"},
		"a rate whose interval reaches the bound is the same": {rate, 0.90, 0.96, "same"},
		"a rate that is higher is better":                     {rate, 1.01, 1.10, "better"},
		"a latency that is higher beyond the bound is worse":  {steadyP99, 1.06, 1.2, "WORSE"},
		"a latency whose interval holds one is the same":      {steadyP99, 0.9, 1.2, "same"},
		"CPU per event that is lower is better":               {cpuPerEvent, 0.8, 0.99, "better"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, status(test.metric, test.low, test.high))
		})
	}
}

func TestRatios(t *testing.T) {
	t.Parallel()
	t.Run("pair the rounds before they are sorted", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, []float64{0.5, 2}, ratios([]float64{20, 10}, []float64{10, 20, 30}))
	})
}

func TestTurn(t *testing.T) {
	t.Parallel()
	t.Run("every other round is the other way round", func(t *testing.T) {
		t.Parallel()
		all := []*candidate{{name: "a"}, {name: "b"}}
		names := func(round int) (names []string) {
			for _, c := range turn(all, round) {
				names = append(names, c.name)
			}
			return names
		}
		require.Equal(t, []string{"a", "b"}, names(0))
		require.Equal(t, []string{"b", "a"}, names(1))
		require.True(t, slices.Equal(names(0), names(2)))
	})
}
