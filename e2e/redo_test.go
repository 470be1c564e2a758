package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// On 2026-06-12 Polar lost writes that it had answered with 204. Whoever was
// deleted then is a customer again, and pays.
func TestDeletionsAreDoneAgainAfterPolarRestoredABackup(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		const customers, returned, strangers = 20, "user_0003", "user_of_nobody"
		env := newEnvironment(t, database)
		ids := env.addCustomers(customers)
		p := env.start(t)
		for i, id := range ids {
			p.deliver(t, sign(t, "clerk", fmt.Sprintf("msg_%d", i), id), http.StatusAccepted)
		}
		p.deliver(t, sign(t, "clerk", "msg_stranger", strangers), http.StatusAccepted)
		env.waitDeleted(t, ids, 30*time.Second)
		p.waitMetric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`, customers, 20*time.Second)
		require.Equal(t, "not_found", env.deletion(t, strangers, "done").Outcome)
		require.Equal(t, customers+1, env.deletes())

		created := map[string]time.Time{returned: time.Now().Add(time.Minute)} // came back after the event
		for _, id := range ids {
			if created[id].IsZero() {
				created[id] = longAgo()
			}
			env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: created[id]})
		}
		env.bridge(t, 2, "deletions", "redo", "--outcome", "deleted", "--since", "1h", "--because", "no terminal to ask on")
		said := env.bridge(t, 0, "deletions", "redo", "--outcome", "deleted", "--since", "1h", "--yes", "--because", "Polar restored a backup")
		require.Equal(t, "20 deletions redone\n", said)

		for _, id := range ids {
			if id == returned {
				require.Equal(t, "recreated", env.deletion(t, id, "held").HoldReason)
				require.True(t, env.polar.Exists(id))
				require.Equal(t, 1, env.polar.Deleted(id))
				continue
			}
			again := env.deletion(t, id, "done")
			require.Equal(t, "deleted", again.Outcome)
			require.Equal(t, 2, again.Attempts)
			require.False(t, env.polar.Exists(id))
			require.Equal(t, 2, env.polar.Deleted(id), "once before and once after the backup")
		}
		require.Equal(t, customers+1+customers-1, env.deletes(), "each once more, and nobody else")
		shown := env.bridge(t, 0, "deletions", "show", strconv.FormatInt(env.deletion(t, ids[0], "done").ID, 10))
		require.Regexp(t, `action .* redo by cli:.*: Polar restored a backup \(it was deleted, 20`, shown)
		p.noSecrets(t)
	})
}

// Whoever was looked for at the wrong place is deleted at the right one.
func TestDeletionsAreDoneAgainAfterAWrongToken(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t), "MAX_DELETIONS_PER_HOUR=3")
	const customers, limit = 5, 3
	p := env.start(t)
	var ids []string
	for i := range customers {
		ids = append(ids, fmt.Sprintf("user_%04d", i))
		p.deliver(t, sign(t, "clerk", fmt.Sprintf("msg_%d", i), ids[i]), http.StatusAccepted)
	}
	for _, id := range ids {
		require.Equal(t, "not_found", env.deletion(t, id, "done").Outcome)
	}
	env.addCustomers(customers) // the organization that was meant has them
	env.bridge(t, 0, "deletions", "redo", "--outcome", "not_found", "--since", "1h", "--yes", "--because", "the token was another organization's")
	p.waitMetric(t, held("clerk", "mass_deletion"), customers-limit, 20*time.Second)
	p.waitMetric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`, limit, 20*time.Second)
	require.Len(t, env.polar.Customers(), customers-limit)
	require.Equal(t, customers+limit, env.deletes())
}

// Only what is done is done again.
func TestWhatIsNotDoneIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database)
		p := env.start(t)
		refused := func(id int64, sentence string) {
			t.Helper()
			redo := env.command(t, "deletions", "redo", strconv.FormatInt(id, 10), "--because", "a mistake")
			var said bytes.Buffer
			redo.Stderr = &said
			require.Error(t, redo.Run())
			require.Contains(t, said.String(), sentence)
		}
		env.polar.AddCustomer(polartest.Customer{ExternalID: "team", Type: "team", CreatedAt: longAgo()})
		p.deliver(t, sign(t, "clerk", "msg_team", "team"), http.StatusAccepted)
		team := env.deletion(t, "team", "held").ID
		refused(team, "it is held; only done deletions can be done again")
		env.bridge(t, 0, "deletions", "cancel", strconv.FormatInt(team, 10), "--because", "it stays")
		refused(team, "it is cancelled")

		env.bridge(t, 0, "deletions", "pause")
		p.deliver(t, sign(t, "clerk", "msg_waits", "waits"), http.StatusAccepted)
		refused(env.deletion(t, "waits", "waiting").ID, "it is waiting; only done deletions can be done again")
		require.Zero(t, p.terminate(t))
		env.bridge(t, 0, "deletions", "resume")

		env.settings["DRY_RUN"] = "true"
		dry := env.start(t)
		dry.deliver(t, sign(t, "clerk", "msg_dry", "dry"), http.StatusAccepted)
		refused(env.deletion(t, "dry", "done").ID, "it was a dry run")
		require.Zero(t, dry.terminate(t))
		require.True(t, env.polar.Exists("team"))
		require.Zero(t, env.deletes())
	})
}
