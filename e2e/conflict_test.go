package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// An event's id is the sender's word for "the same once more". Two users under
// one id are a mistake, or somebody's who has the secret: which of them left, a
// human must find out.
func TestConflictingRepeats(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database)
		env.addCustomers(4)
		p := env.start(t)

		t.Run("a repeat that names another user is held, and so is nobody's customer lost", func(t *testing.T) { //nolint:paralleltest // one step after the other
			p.deliver(t, sign(t, "clerk", "msg_1", "user_0000"), http.StatusAccepted)
			env.waitDeleted(t, []string{"user_0000"}, 20*time.Second)
			require.JSONEq(t, `{"status":"accepted","accepted":1,"duplicates":0,"ignored":0}`,
				p.deliver(t, sign(t, "clerk", "msg_1", "user_0001"), http.StatusAccepted))
			require.Equal(t, "conflict", env.deletion(t, "user_0001", "held").HoldReason)
			p.waitMetric(t, `polar_bridge_deletions_held_total{provider="clerk",reason="conflict"}`, 1, 10*time.Second)
			p.says(t, `"reason":"conflict"`)
		})
		t.Run("repeats of either are duplicates", func(t *testing.T) { //nolint:paralleltest // one step after the other
			for _, user := range []string{"user_0000", "user_0001"} {
				require.Contains(t, p.deliver(t, sign(t, "clerk", "msg_1", user), http.StatusOK), `"duplicates":1`)
			}
			require.Contains(t, p.deliver(t, sign(t, "clerk", "msg_1", "user_0002"), http.StatusAccepted), `"accepted":1`, "a third user")
			require.Equal(t, "conflict", env.deletion(t, "user_0002", "held").HoldReason)
		})
		t.Run("retry is refused, approve makes it an event of its own", func(t *testing.T) { //nolint:paralleltest // one step after the other
			id := strconv.FormatInt(env.deletion(t, "user_0001", "held").ID, 10)
			env.bridge(t, 1, "deletions", "retry", id)
			require.Equal(t, 1, env.deletes())
			env.bridge(t, 0, "deletions", "approve", id)
			env.waitDeleted(t, []string{"user_0000", "user_0001"}, 20*time.Second)
			env.deletion(t, "user_0001", "done")
			require.Contains(t, p.deliver(t, sign(t, "clerk", "msg_1", "user_0001"), http.StatusOK), `"duplicates":1`)
		})
		require.True(t, env.polar.Exists("user_0002"))
		require.Equal(t, 2, env.deletes())
	})
}

func TestConflictsWithinOneRequest(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env := newEnvironment(t, database)
		env.addCustomers(3)
		p := env.start(t)
		entry := `{"log_id":"log_1","data":{"type":"sdu","user_id":%q,"date":"2026-11-03T03:25:28.923Z"}}` + "\n"
		var batch strings.Builder
		for _, user := range []string{"user_0000", "user_0001", "user_0000", "user_0001"} {
			fmt.Fprintf(&batch, entry, user)
		}
		d := delivery{"auth0-logs", http.Header{"Authorization": {logsToken}}, []byte(batch.String())}
		require.JSONEq(t, `{"status":"accepted","accepted":2,"duplicates":2,"ignored":0}`, p.deliver(t, d, http.StatusAccepted))
		env.waitDeleted(t, []string{"user_0000"}, 20*time.Second)
		require.Equal(t, "conflict", env.deletion(t, "user_0001", "held").HoldReason)
		require.JSONEq(t, `{"status":"duplicate","accepted":0,"duplicates":4,"ignored":0}`, p.deliver(t, d, http.StatusOK))
		require.Equal(t, 1, env.deletes())
	})
}

func TestConflictsAtTheSameMoment(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		const users, copies = 8, 3
		env := newEnvironment(t, database)
		env.addCustomers(users)
		p := env.start(t)
		var mutex sync.Mutex
		var senders sync.WaitGroup
		var total struct{ Accepted, Duplicates int }
		for i := range users * copies {
			d := sign(t, "clerk", "msg_1", fmt.Sprintf("user_%04d", i%users))
			senders.Go(func() {
				status, text := p.post(t.Context(), http.DefaultClient, d)
				var answer struct{ Accepted, Duplicates int }
				if err := json.Unmarshal([]byte(text), &answer); err != nil || status >= http.StatusMultipleChoices {
					t.Errorf("%d %s", status, text)
				}
				mutex.Lock()
				defer mutex.Unlock()
				total.Accepted += answer.Accepted
				total.Duplicates += answer.Duplicates
			})
		}
		senders.Wait()
		require.Equal(t, users, total.Accepted, "each user once")
		require.Equal(t, users*(copies-1), total.Duplicates)
		p.waitMetric(t, `polar_bridge_deletions_pending{state="held"}`, users-1, 20*time.Second)
		require.Eventually(t, func() bool { return env.deletes() == 1 }, patience, 20*time.Millisecond)
	})
}
