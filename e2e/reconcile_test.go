package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/directory/directorytest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// withClerk is an environment whose Clerk can be asked.
func withClerk(t *testing.T, database string, settings ...string) (*environment, *directorytest.Clerk) {
	t.Helper()
	c := directorytest.StartClerk(t)
	return newEnvironment(t, database, append([]string{
		"CLERK_SECRET_KEY=" + directorytest.ClerkKey, "CLERK_API_URL=" + c.URL().String(),
	}, settings...)...), c
}

// populate adds customers, of whom every so manyth has no user.
func populate(env *environment, c *directorytest.Clerk, customers, goneEach int) (living, gone []string) {
	for i := range customers {
		id := fmt.Sprintf("user_%05d", i)
		env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo().Add(time.Duration(i) * time.Second), ActiveSubscriptions: 1})
		if goneEach > 0 && i%goneEach == goneEach/2 {
			gone = append(gone, id)
			continue
		}
		c.AddUser(id)
		living = append(living, id)
	}
	return living, gone
}

// killWhen starts the command and kills it as soon as that holds.
func (env *environment) killWhen(t *testing.T, holds func() bool, args ...string) {
	t.Helper()
	command := env.command(t, args...)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	require.NoError(t, command.Start())
	require.Eventually(t, holds, time.Minute, time.Millisecond)
	require.NoError(t, command.Process.Kill())
	require.Error(t, command.Wait(), "it was killed in the middle: %s", &output)
	require.Equal(t, -1, command.ProcessState.ExitCode(), output.String())
}

// reconcile runs the command until no killed one is in its way.
func (env *environment) reconcile(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	require.Eventually(t, func() bool {
		command := env.command(t, append([]string{"reconcile", "--provider", "clerk"}, args...)...)
		var output, talk bytes.Buffer
		command.Stdout, command.Stderr = &output, &talk
		err := command.Run()
		if strings.Contains(talk.String(), "another process is reconciling") {
			return false
		}
		if exit := (*exec.ExitError)(nil); err != nil {
			require.ErrorAs(t, err, &exit, "%s", &talk)
			require.Equal(t, 3, exit.ExitCode(), "%s", &talk)
		}
		stdout = output.String()
		return true
	}, 2*time.Minute, 500*time.Millisecond)
	return stdout
}

// found returns the external ids in the output for scripts.
func found(t *testing.T, stdout string) (ids []string) {
	t.Helper()
	for line := range strings.Lines(stdout) {
		var orphan struct {
			ExternalID string `json:"external_id"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &orphan))
		if orphan.ExternalID != "" {
			ids = append(ids, orphan.ExternalID)
		}
	}
	return ids
}

func TestReconcileFindsAndDeletesExactlyTheMissedOnesThrough429sAndKills(t *testing.T) {
	t.Parallel()
	env, c := withClerk(t, databasetest.SQLite(t))
	living, gone := populate(env, c, 10000, 200)
	require.Len(t, living, 9950)
	require.Len(t, gone, 50)
	limited := polartest.RateLimited(time.Second)
	env.polar.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
		if e.Seq%37 == 0 {
			return limited
		}
		return polartest.Fault{}
	})
	var asked atomic.Int64
	c.SetFault(func(*http.Request) directorytest.Fault {
		if asked.Add(1)%41 == 0 {
			return directorytest.RateLimited(time.Second)
		}
		return directorytest.Fault{}
	})
	p := env.start(t)

	env.killWhen(t, func() bool { return env.polar.CallsOf(polartest.OperationList) >= 40 }, "reconcile", "--provider", "clerk")
	listed := env.polar.CallsOf(polartest.OperationList)
	require.Equal(t, gone, found(t, env.reconcile(t, "--json", "--exit-code")))
	require.Less(t, env.polar.CallsOf(polartest.OperationList)-listed, 80, "it went on where it was killed")
	require.Zero(t, env.deletes(), "nothing is deleted without --apply")

	states := env.polar.CallsOf(polartest.OperationState)
	env.killWhen(t, func() bool { return env.polar.CallsOf(polartest.OperationState) >= states+20 }, "reconcile", "--provider", "clerk", "--apply", "--sole-instance")
	require.Equal(t, gone, found(t, env.reconcile(t, "--apply", "--sole-instance", "--json")))
	require.Eventually(t, func() bool { return env.committed() >= 5 }, patience, time.Millisecond)
	p.kill()
	p = env.start(t)
	env.waitDeleted(t, gone, time.Minute)
	require.Empty(t, found(t, env.reconcile(t, "--apply", "--sole-instance", "--json")))
	require.Equal(t, 50, env.committed())
	require.Len(t, env.polar.Customers(), 9950)
	for _, id := range living {
		require.True(t, env.polar.Exists(id), id)
	}
	require.NotContains(t, p.output(), `"level":"error"`)
}

func TestReconcileUndoesNoDecision(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env, c := withClerk(t, database)
		populate(env, c, 100, 0)
		const cancelled, team, waiting, lost = "user_cancelled", "user_held", "user_waiting", "user_lost"
		for _, id := range []string{cancelled, team, waiting, lost} {
			customer := polartest.Customer{ExternalID: id, CreatedAt: longAgo(), ActiveSubscriptions: 1}
			if id == team {
				customer.Type = "team"
			}
			env.polar.AddCustomer(customer)
		}
		p := env.start(t)
		p.deliver(t, sign(t, "clerk", "msg_team", team), http.StatusAccepted)
		env.deletion(t, team, "held")
		env.bridge(t, 0, "deletions", "pause")
		p.deliver(t, sign(t, "clerk", "msg_cancelled", cancelled), http.StatusAccepted)
		env.bridge(t, 0, "deletions", "cancel", fmt.Sprint(env.deletion(t, cancelled, "waiting").ID), "--because", "it stays a customer")
		p.deliver(t, sign(t, "clerk", "msg_waiting", waiting), http.StatusAccepted)
		env.deletion(t, waiting, "waiting")

		// The report says it without --apply as well.
		table, scripts := env.reconcile(t), env.reconcile(t, "--json")
		for id, want := range map[string][2]string{
			cancelled: {"cancelled", `,"left_alone":"cancelled","hold_reason":""}`}, team: {"held as team", `,"left_alone":"held","hold_reason":"team"}`},
			waiting: {"waiting", `,"left_alone":"waiting","hold_reason":""}`}, lost: {"-", `"active_subscriptions":1,"left_alone":"","hold_reason":""}`},
		} {
			require.Regexp(t, `(?m)^"`+id+`" .* 1 +`+want[0]+`$`, table)
			require.Regexp(t, `(?m)^\{"external_id":"`+id+`".*`+want[1]+`$`, scripts)
		}
		require.Contains(t, scripts, `"queued":0,"already_queued":0,"left_alone":3}`)

		applied := env.reconcile(t, "--apply", "--sole-instance", "--json")
		require.Contains(t, applied, `"queued":1,"already_queued":0,"left_alone":3}`)
		require.True(t, strings.HasPrefix(env.deletion(t, lost, "waiting").EventID, "reconcile:"))
		require.Equal(t, 4, strings.Count(env.bridge(t, 0, "deletions", "list", "--json"), "\n"))
		require.Contains(t, env.reconcile(t, "--apply", "--sole-instance", "--json"), `"queued":0,"already_queued":1,"left_alone":3}`)

		env.bridge(t, 0, "deletions", "resume")
		env.waitDeleted(t, []string{waiting, lost}, 30*time.Second)
		require.Contains(t, env.reconcile(t, "--apply", "--sole-instance", "--json"), `"queued":0,"already_queued":0,"left_alone":2}`)
		require.Equal(t, 2, env.deletes())
		require.True(t, env.polar.Exists(cancelled))
		require.True(t, env.polar.Exists(team))
	})
}

func TestABadProviderLeadsToNoDeletion(t *testing.T) {
	t.Parallel()
	another := func(c *directorytest.Clerk) {
		for i := range 60 {
			c.DeleteUser(fmt.Sprintf("user_%05d", i))
			c.AddUser(fmt.Sprint("user_another", i))
		}
	}
	always := func(f directorytest.Fault) func(*directorytest.Clerk) {
		return func(c *directorytest.Clerk) { c.Always(f) }
	}
	// At once, in this test's one place: most of them wait for repeats.
	var group sync.WaitGroup
	defer group.Wait()
	for name, test := range map[string]struct { //nolint:paralleltest // all at once, see above
		spoil func(*directorytest.Clerk)
		code  int
	}{
		"it fails":                    {always(directorytest.Status(http.StatusInternalServerError)), 1},
		"the key is revoked":          {always(directorytest.Status(http.StatusUnauthorized)), 1},
		"the route is another":        {always(directorytest.Status(http.StatusNotFound)), 1},
		"the list is empty":           {always(directorytest.EmptyList()), 1},
		"the JSON is another":         {always(directorytest.WrongJSON()), 1},
		"the JSON is cut":             {always(directorytest.CutJSON()), 1},
		"there is a page in between":  {always(directorytest.HTMLPage()), 1},
		"others are listed":           {always(directorytest.ForeignList("user_1", "user_2")), 1},
		"it is another instance":      {another, 1},
		"half of the list is missing": {always(directorytest.CutList()), 0}, // each is asked about alone: nobody is gone
	} {
		group.Go(func() {
			t.Run(name, func(t *testing.T) {
				env, c := withClerk(t, databasetest.SQLite(t))
				populate(env, c, 60, 0)
				test.spoil(c)
				env.bridge(t, 0, "migrate")
				env.bridge(t, test.code, "reconcile", "--provider", "clerk", "--apply", "--sole-instance", "--max-share", "100%")
				require.Contains(t, env.bridge(t, 0, "deletions", "list"), "No deletions.")
				require.Zero(t, env.deletes())
				require.Len(t, env.polar.Customers(), 60)
			})
		})
	}
}

func TestAForgedDeletionOfALivingUserNeverReachesDELETE(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		env, c := withClerk(t, database)
		populate(env, c, 4, 0)
		c.DeleteUser("user_00001")
		p := env.start(t)
		p.deliver(t, sign(t, "clerk", "msg_forged", "user_00000"), http.StatusAccepted)
		p.deliver(t, sign(t, "clerk", "msg_true", "user_00001"), http.StatusAccepted)
		env.waitDeleted(t, []string{"user_00001"}, 20*time.Second)
		require.Eventually(t, func() bool { return slices.Contains(c.Calls(), "GET /v1/users/user_00000") }, patience, 10*time.Millisecond)

		c.Always(directorytest.Status(http.StatusInternalServerError))
		c.DeleteUser("user_00002")
		p.deliver(t, sign(t, "clerk", "msg_later", "user_00002"), http.StatusAccepted)
		require.Eventually(t, func() bool { return strings.Contains(p.output(), `"reason":"directory_unavailable"`) }, patience, 10*time.Millisecond, "%s", p)
		require.Equal(t, 1, env.deletes())
		c.SetFault(nil)
		env.waitDeleted(t, []string{"user_00002"}, time.Minute)

		require.Equal(t, 2, env.deletes())
		require.True(t, env.polar.Exists("user_00000"))
		require.Equal(t, "waiting", env.deletion(t, "user_00000", "waiting").State)
	})
}

func TestServeReportsMissedDeletionsAndDeletesNobody(t *testing.T) {
	t.Parallel()
	env, c := withClerk(t, databasetest.SQLite(t), "RECONCILE_INTERVAL=1h")
	populate(env, c, 120, 40)
	p := env.start(t)
	p.waitMetric(t, `polar_bridge_reconcile_orphans{provider="clerk"}`, 3, 20*time.Second)
	require.InDelta(t, time.Now().Unix(), p.metric(t, `polar_bridge_reconcile_last_success_timestamp_seconds{provider="clerk"}`), 60)
	require.InDelta(t, 3600, p.metric(t, `polar_bridge_reconcile_interval_seconds`), 0)
	p.says(t, `"msg":"customers reconciled","provider":"clerk","orphans":3,"read":120`)
	require.Zero(t, p.terminate(t))
	require.Contains(t, env.bridge(t, 0, "deletions", "list"), "No deletions.")
	require.Zero(t, env.deletes())

	calls := env.polar.CallsOf(polartest.OperationList)
	p = env.start(t)
	p.waitMetric(t, `polar_bridge_reconcile_orphans{provider="clerk"}`, 3, 20*time.Second)
	require.Equal(t, calls, env.polar.CallsOf(polartest.OperationList), "it is not due yet")
}
