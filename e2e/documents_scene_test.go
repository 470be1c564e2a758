package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/directory/directorytest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// scene is a server in the state that the documents show, and the folder in which
// their commands are run.
type scene struct {
	*environment

	server *process
	dir    string
}

// openScene has six deletions, one of each kind.
func openScene(t *testing.T, page string) *scene {
	t.Helper()
	env, clerk := withClerk(t, databasetest.SQLite(t), "VERIFY_AFTER=1s", "POLAR_BRIDGE_OPERATOR=alice")
	s := &scene{environment: env, dir: t.TempDir()}
	for id, kind := range map[string]string{"user_1": "team", "user_2": "team", "user_5": "team", "user_6": ""} {
		env.polar.AddCustomer(polartest.Customer{ExternalID: id, Type: kind, CreatedAt: longAgo()})
	}
	for _, id := range []string{"user_91", "user_92"} {
		env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
		clerk.AddUser(id)
	}
	env.polar.AddCustomer(polartest.Customer{CreatedAt: longAgo()}) // without an external id
	env.polar.SetFaultFunc(func(e polartest.Entry) polartest.Fault {
		if e.Operation == polartest.OperationDelete && e.ExternalID == "user_6" {
			return polartest.Gateway(http.StatusBadGateway)
		}
		return polartest.Fault{}
	})
	if page == "reconcile.md" {
		s.addUsers(t, clerk)
	} else {
		s.set("AUTH0_WEBHOOK_TOKEN=", "AUTH0_LOGS_TOKEN=", "AUTH0_LOGS_UNCONFIRMED=")
	}
	s.server = env.start(t)
	for i, id := range []string{"user_1", "user_2", "user_3", ".", "user_5", "user_6"} {
		event := "evt_" + string(rune('1'+i))
		s.server.deliver(t, sign(t, "clerk", event, id), http.StatusAccepted)
		state := []string{"held", "held", "done", "held", "held", "waiting"}[i]
		require.Eventually(t, func() bool {
			return strings.Contains(env.bridge(t, 0, "deletions", "list", "--event-id", event, "--json"), `"state":"`+state+`"`)
		}, patience, 50*time.Millisecond, "%s never %s\n%s", event, state, s.server)
	}
	forged := sign(t, "clerk", "evt_forged", "user_2")
	forged.header.Set("Svix-Signature", "v1,Zm9yZ2Vk")
	s.server.deliver(t, forged, http.StatusUnauthorized)
	env.bridge(t, 0, "deletions", "approve", "1")
	env.bridge(t, 0, "deletions", "cancel", "5", "--because", "the account was restored")
	s.server.says(t, "deletion retried")
	s.settle(t)
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "log.txt"), []byte(s.server.output()), 0o600))
	if page == "erasure.md" { // who asks by e-mail bought something again
		env.polar.AddCustomer(polartest.Customer{ExternalID: "user_1", CreatedAt: longAgo(), ActiveSubscriptions: 4})
	}
	return s
}

// variables are the server's settings, with the addresses that it has.
func (s *scene) variables() []string {
	all := []string{"ADMIN_ADDR=" + strings.TrimPrefix(s.server.operator, "http://")}
	for name, value := range s.settings {
		if name != "ADMIN_ADDR" {
			all = append(all, name+"="+value)
		}
	}
	return all
}

// settle waits until what Polar has answered is verified, and nothing new waits.
func (s *scene) settle(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		for line := range strings.Lines(s.bridge(t, 0, "deletions", "list", "--limit", "0", "--json")) {
			var r struct {
				State, Outcome, Verification string
				ExternalID                   string `json:"external_id"`
			}
			require.NoError(t, json.Unmarshal([]byte(line), &r))
			if r.ExternalID != "user_6" && (r.State == "waiting" || r.Outcome == "deleted" && (r.Verification == "" || r.Verification == "pending")) {
				return false
			}
		}
		return true
	}, patience, 100*time.Millisecond, "%s", s.server)
}

// filledIn has this machine's addresses in place of the document's.
func (s *scene) filledIn(command string) string {
	return strings.NewReplacer(
		"go run . demo", "polar-bridge demo",
		"send clerk", "send clerk --url "+s.server.webhooks,
		"https://YOUR-HOST", s.server.webhooks, "https://hooks.example.com", s.server.webhooks,
		"http://127.0.0.1:9090", s.server.operator,
		"you@YOUR-DOMAIN", "you@polar.sh", "you@example.org", "you@polar.sh",
		"redo 17 18", "redo 3",
	).Replace(command)
}

// exits is the exit code that the document says.
func (s *scene) exits(c documented) int {
	switch {
	case strings.Contains(c.output, "\npolar-bridge: "): // something is refused
		return 1
	case strings.Contains(c.command, "--exit-code"): // something is found
		return 3
	case strings.Contains(c.command, "redo --outcome deleted --since 2026-06-12"): // nothing was deleted that day
		return 1
	}
	return 0
}

// printedElsewhere says of a block without a command that it is no program's output,
// or that of something that is run by a test of its own.
func printedElsewhere(block string) bool {
	return strings.Contains(block, "event ─▶ GRACE_PERIOD ─▶") || // a drawing
		strings.Contains(block, "scenario  kills  sent  repeats") // make chaos
}

// addUsers has one user missing of many, at Clerk and at Auth0, and a delivery of
// Auth0's that failed.
func (s *scene) addUsers(t *testing.T, clerk *directorytest.Clerk) {
	t.Helper()
	auth0 := directorytest.StartAuth0(t, "read:users", "read:event_streams", "read:event_deliveries", "update:event_deliveries")
	auth0.AddStream(directorytest.Stream{ID: "est_1", Name: "bridge", Failed: []string{"evt_1"}})
	s.set("AUTH0_DOMAIN="+auth0.URL().String(), "AUTH0_CLIENT_ID="+directorytest.Auth0ClientID, "AUTH0_CLIENT_SECRET="+directorytest.Auth0ClientSecret)
	for i := range 200 {
		for prefix, add := range map[string]func(string, ...string){"user_many": clerk.AddUser, "auth0|many": auth0.AddUser} {
			id := fmt.Sprint(prefix, i)
			s.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
			if i > 0 {
				add(id)
			}
		}
	}
}

// causes makes what a message is about, in a copy of the database.
func (s *scene) causes(t *testing.T, message string, printed *strings.Builder) {
	t.Helper()
	damaged := strings.Contains(message, "the SQLite file is damaged")
	if !damaged && !strings.Contains(message, "migrated by a newer polar-bridge") {
		return
	}
	copied := filepath.Join(s.dir, "polar-bridge.db")
	s.bridge(t, 0, "backup", copied)
	if damaged {
		file, err := os.OpenFile(copied, os.O_RDWR, 0)
		require.NoError(t, err)
		_, err = file.WriteAt([]byte(strings.Repeat("x", 3000)), 100)
		require.NoError(t, err)
		require.NoError(t, file.Close())
	} else {
		db := databasetest.OpenMigrated(t, "sqlite:"+copied)
		_, err := db.Main.ExecContext(t.Context(), "INSERT INTO polar_bridge_migrations (version_id, is_applied) VALUES (99, 1)")
		require.NoError(t, err)
		require.NoError(t, db.Close())
	}
	said, _ := s.terminal(t, "DATABASE_URL=sqlite:polar-bridge.db timeout 20 polar-bridge serve")
	require.NoError(t, os.Remove(copied))
	printed.WriteString(said)
}
