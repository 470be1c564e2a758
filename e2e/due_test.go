package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// The grace period of a bulk deletion ends for all of it at once.
func TestDeletionsThatFallDueTogetherKeepNoWebhookWaiting(t *testing.T) {
	t.Parallel()
	const many, grace = 40_000, 60 * time.Second
	env := newEnvironment(t, databasetest.SQLite(t), "POLAR_RATE_LIMIT=60", "POLAR_CONCURRENCY=32", "GRACE_PERIOD="+grace.String())
	p := env.start(t)
	began := time.Now()
	for i := range many / 500 {
		p.deliver(t, logBatch(t, fmt.Sprint("bulk_", i), 500), http.StatusAccepted)
	}
	t.Logf("%d stored in %s", many, time.Since(began).Round(time.Millisecond))

	var took []time.Duration
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; time.Since(began) < grace+20*time.Second; i++ {
		<-tick.C
		sent := time.Now()
		p.deliver(t, sign(t, "clerk", fmt.Sprint("msg_", i), fmt.Sprint("single_", i)), http.StatusAccepted)
		took = append(took, ran(sent))
	}
	slices.Sort(took)
	t.Logf("%d webhooks: median %s, 99%% %s, slowest %s", len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	require.Less(t, took[len(took)-1], time.Second) // 1.46 s when River moved 10,000 in one transaction
}
