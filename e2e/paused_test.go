package e2e_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// Only a request could tell that a replaced token works, and nothing is left that
// would send one.
func TestAPauseThatNobodyWaitsForEnds(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database)
		id := env.addCustomers(1)[0]
		p := env.start(t)
		env.polar.RevokeToken(polarToken)
		p.deliver(t, sign(t, "clerk", "msg_1", id), http.StatusAccepted)
		const paused = `polar_bridge_polar_paused{reason="unauthorized"}`
		p.waitMetric(t, paused, 1, 20*time.Second)
		env.bridge(t, 0, "deletions", "cancel", strconv.FormatInt(env.deletion(t, id, "waiting").ID, 10), "--because", "deleted by hand")
		env.polar.AllowToken(polarToken, polartest.TokenFull)
		p.waitMetric(t, paused, 0, 2*time.Minute)
		require.Zero(t, env.deletes())

		require.Zero(t, p.terminate(t))
		p = env.start(t)
		for _, held := range []float64{1, 2} { // the gauges were refreshed, twice
			p.deliver(t, signBody(t, fmt.Sprint("msg_held_", held), `{"type":"user.deleted","data":{"object":"user","deleted":true,"id":".."}}`, time.Now()), http.StatusAccepted)
			p.waitMetric(t, `polar_bridge_deletions_pending{state="held"}`, held, 20*time.Second)
		}
		require.Zero(t, p.metric(t, paused), "a restart does not bring it back")
	})
}
