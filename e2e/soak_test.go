package e2e_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// soakVariable is how long the soak lasts: an hour before a release.
const soakVariable = "POLAR_BRIDGE_SOAK"

// series counts the time series on /metrics.
func (p *process) series(t *testing.T) int {
	t.Helper()
	count := 0
	for line := range strings.SplitSeq(p.scrape(t), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			count++
		}
	}
	return count
}

func TestTenThousandRandomPathsMakeNoNewSeries(t *testing.T) {
	t.Parallel()
	const paths = 10_000
	p := newEnvironment(t, databasetest.SQLite(t)).start(t)
	before := p.series(t)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	defer client.CloseIdleConnections()
	methods := []string{http.MethodGet, http.MethodPost, http.MethodDelete, "BREW"}
	var strangers sync.WaitGroup
	for i := range 4 {
		strangers.Go(func() {
			for range paths / 4 {
				address := []string{p.webhooks, p.operator, p.webhooks + "/webhooks"}[rand.IntN(3)]
				request, err := http.NewRequestWithContext(t.Context(), methods[i], fmt.Sprintf("%s/%x", address, rand.Uint64()), http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				request.Host = fmt.Sprintf("%x.example", rand.Uint64())
				sent := time.Now()
				response, err := client.Do(request)
				if err != nil && stoodStill(sent, time.Now()) > 0 {
					response, err = client.Do(request)
				}
				if err != nil {
					t.Error(err)
					return
				}
				_ = response.Body.Close() // only the status matters
				if response.StatusCode/100 != 4 {
					t.Errorf("%d", response.StatusCode)
				}
			}
		})
	}
	strangers.Wait()
	require.Equal(t, before, p.series(t))
}

func TestASoakLeavesMemoryGoroutinesAndSeriesAsTheyWere(t *testing.T) {
	t.Parallel()
	lasts, err := time.ParseDuration(cmp.Or(os.Getenv(soakVariable), "30s"))
	require.NoError(t, err)
	const perSecond, mostGrowth = 50, 16 << 10 // kB
	env := newEnvironment(t, databasetest.SQLite(t))
	env.polar.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
		if e.Seq%20 == 0 {
			return polartest.Gateway(503)
		}
		return polartest.Fault{}
	})
	p := env.start(t)
	events := int(lasts.Seconds() * perSecond)
	ids := env.addCustomers(events)
	var warm [3]int
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	for i, id := range ids {
		<-tick.C
		p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), id), http.StatusAccepted)
		if i == events/3 {
			warm = p.size(t)
		}
	}
	env.waitDeleted(t, ids, 2*time.Minute)
	p.waitMetric(t, `polar_bridge_deletions_pending{state="waiting"}`, 0, time.Minute)
	end := p.size(t)
	t.Logf("RSS in kB, goroutines, series: %v after a third, %v after %d events in %s", warm, end, events, lasts)
	require.LessOrEqual(t, end[0], warm[0]+mostGrowth, "kB of RSS")
	require.LessOrEqual(t, end[1], warm[1]+mostLeftOver, "goroutines")
	require.LessOrEqual(t, end[2], warm[2]+mostLeftOver, "series: a status that Polar had not answered before makes a histogram")
}

// size is the RSS in kB, the goroutines and the series.
func (p *process) size(t *testing.T) [3]int {
	t.Helper()
	memory, err := p.residentMemory()
	require.NoError(t, err)
	goroutines, err := p.goroutines(t.Context())
	require.NoError(t, err)
	return [3]int{memory, goroutines, p.series(t)}
}
