package console

import (
	"fmt"
	"slices"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// The chart's size, in its own units.
const (
	chartHours  = 24
	chartHeight = 100
	hourWidth   = 24
	barWidth    = 18
)

// chart is how many deletions ended in each hour: a bar each of pieces on top of each
// other.
type chart struct {
	Pieces []piece
	Labels []label
	Most   int // in one hour
	Width  int
	Totals []total
}

// total is how many ended so.
type total struct {
	Outcome deletion.Outcome
	Count   int
}

type piece struct {
	X, Y, Width, Height float64
	Outcome             deletion.Outcome
	Title               string
}

type label struct {
	X    int
	Text string
}

// draw lays out the hours from since on.
func draw(ended []ops.Ended, since time.Time) chart {
	var counts [chartHours]map[deletion.Outcome]int
	var sums [chartHours]int
	c := chart{Width: chartHours * hourWidth}
	totals := make(map[deletion.Outcome]int)
	for i := range counts {
		counts[i] = make(map[deletion.Outcome]int)
	}
	for _, e := range ended {
		i := int(e.Hour.Sub(since) / time.Hour)
		if i < 0 || i >= chartHours {
			continue // of a clock that stepped
		}
		counts[i][e.Outcome] += e.Count
		totals[e.Outcome] += e.Count
		sums[i] += e.Count
	}
	c.Most = slices.Max(sums[:])
	for i, hour := range counts {
		c.stack(i, since.Add(time.Duration(i)*time.Hour), hour)
	}
	for _, outcome := range deletion.Outcomes() {
		if totals[outcome] > 0 {
			c.Totals = append(c.Totals, total{outcome, totals[outcome]})
		}
	}
	return c
}

func (c *chart) stack(i int, hour time.Time, counts map[deletion.Outcome]int) {
	const labelled = 6
	if hour.Hour()%labelled == 0 {
		c.Labels = append(c.Labels, label{i * hourWidth, hour.Format("15:04")})
	}
	y := float64(chartHeight)
	for _, outcome := range deletion.Outcomes() {
		n := counts[outcome]
		if n == 0 {
			continue
		}
		const least = 2 // that can be seen
		height := max(least, float64(n)*chartHeight/float64(c.Most))
		y = max(0, y-height)
		c.Pieces = append(c.Pieces, piece{
			X: float64(i * hourWidth), Y: y, Width: barWidth, Height: height, Outcome: outcome,
			Title: fmt.Sprintf("%s UTC: %d %s", hour.Format("15:04"), n, outcome),
		})
	}
}
