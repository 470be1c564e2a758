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

// TestTheConsoleInABrowser does all that somebody on call does, once with scripts and
// once without: the pages need none.
func TestTheConsoleInABrowser(t *testing.T) {
	t.Parallel()
	for _, scripts := range []bool{true, false} {
		t.Run(fmt.Sprintf("with scripts %t", scripts), func(t *testing.T) {
			t.Parallel()
			databasetest.EachURL(t, func(t *testing.T, database string) { testConsole(t, database, scripts) })
		})
	}
}

func testConsole(t *testing.T, database string, scripts bool) {
	t.Helper()
	env, clerk := withClerk(t, database, "ADMIN_PASSWORD="+consolePassword, "VERIFY_AFTER=5s")
	for _, id := range []string{"user_approved", "user_cancelled", "user_stale", "user_one", "user_two", "user_three"} {
		env.polar.AddCustomer(polartest.Customer{ExternalID: id, Type: "team", CreatedAt: longAgo(), ActiveSubscriptions: 1})
	}
	for _, id := range []string{"user_back", "user_mailed", "user_paused"} {
		env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo(), ActiveSubscriptions: 1})
	}
	clerk.AddUser("user_living")
	p := env.start(t)
	for _, id := range []string{"user_back", "user_approved", "user_cancelled", "user_stale", "user_one", "user_two", "user_three"} {
		p.deliver(t, sign(t, "clerk", "msg_"+id, id), http.StatusAccepted)
	}
	env.waitDeleted(t, []string{"user_back"}, 30*time.Second)
	env.polar.AddCustomer(polartest.Customer{ExternalID: "user_back", ActiveSubscriptions: 1})
	p.waitMetric(t, `polar_bridge_deletions_pending{state="held"}`, 6, 30*time.Second)
	p.waitMetric(t, `polar_bridge_deletions_pending{state="reappeared"}`, 1, 60*time.Second)
	b := startBrowser(t, p.operator, scripts)

	// Sign in, and see within one look what is wrong.
	b.open(t, "/ui/deletions")
	b.sees(t, "Sign in")
	b.fill(t, "name", "alice")
	b.fill(t, "password", "wrong")
	b.press(t, "Sign in")
	b.sees(t, "The password is wrong.")
	b.fill(t, "password", consolePassword)
	b.press(t, "Sign in")
	b.sees(t, "6 deletions wait for somebody to decide.")
	b.sees(t, "1 customer deleted, and found again or still charged.")

	// Find a person, and approve.
	find := func(id string) {
		b.click(t, `//nav/a[.="Deletions"]`)
		b.fill(t, "q", id)
		b.press(t, "Find")
		b.click(t, `//td[@data-label="ID"]/a`)
		b.sees(t, id)
	}
	find("user_approved")
	b.sees(t, "The customer is a team")
	b.press(t, "approve")
	b.sees(t, "This cannot be undone.")
	require.Equal(t, 1, env.deletes(), "a question does nothing")
	b.press(t, "Yes, approve 1 deletion")
	b.sees(t, "1 deletion approved.")
	env.waitDeleted(t, []string{"user_back", "user_approved"}, 30*time.Second)

	// Cancel, with a reason.
	find("user_cancelled")
	b.press(t, "cancel")
	b.fill(t, "because", "she stays")
	b.press(t, "Yes, cancel 1 deletion")
	b.sees(t, "1 deletion cancelled.")
	b.click(t, `//main//a[starts-with(., "Deletion ")]`)
	b.sees(t, "cancel by console:alice: she stays")

	// Acknowledge.
	find("user_back")
	b.sees(t, "customer found again")
	b.press(t, "acknowledge")
	b.press(t, "Yes, acknowledge 1 deletion")
	b.sees(t, "1 deletion acknowledged.")

	// Somebody else decides meanwhile.
	find("user_stale")
	b.press(t, "approve")
	env.bridge(t, 0, "deletions", "cancel", strconv.FormatInt(env.deletion(t, "user_stale", "held").ID, 10), "--because", "asked to stay")
	b.press(t, "Yes, approve 1 deletion")
	b.sees(t, "Nothing was approved.")
	b.sees(t, "1 deletion changed since the question was asked, perhaps because somebody else decided")

	// Several: exactly those that were ticked, after typing how many.
	b.open(t, "/ui/deletions?state=held&order=oldest")
	b.tick(t, "id", strconv.FormatInt(env.deletion(t, "user_one", "held").ID, 10))
	b.tick(t, "id", strconv.FormatInt(env.deletion(t, "user_two", "held").ID, 10))
	b.fill(t, "verb", "approve")
	b.press(t, "Continue")
	b.fill(t, "number", "3")
	b.press(t, "Yes, approve 2 deletions")
	b.sees(t, "Nothing was done: type the number 2 to approve 2 deletions.")
	require.Equal(t, 2, env.deletes())
	b.fill(t, "number", "2")
	b.press(t, "Yes, approve 2 deletions")
	b.sees(t, "2 deletions approved.")
	env.waitDeleted(t, []string{"user_back", "user_approved", "user_one", "user_two"}, 30*time.Second)

	requestInBrowser(t, env, b)
	pauseInBrowser(t, env, p, b)
	require.True(t, env.polar.Exists("user_stale"))
	require.True(t, env.polar.Exists("user_three"))
	p.noSecrets(t)
}

// requestInBrowser asks by hand for somebody who is gone, and for somebody who is not.
func requestInBrowser(t *testing.T, env *environment, b *browser) {
	t.Helper()
	b.click(t, `//nav/a[.="Request by hand"]`)
	b.fill(t, "external_id", "user_living")
	b.press(t, "Look first")
	b.sees(t, "the user still exists at clerk")
	b.open(t, "/ui/request")
	b.fill(t, "external_id", "user_mailed")
	b.press(t, "Look first")
	b.sees(t, "1 active subscription), who will be deleted for good.")
	b.fill(t, "because", "e-mail of today")
	b.press(t, "Request the deletion")
	b.sees(t, "Requested: deletion ")
	env.waitDeleted(t, []string{"user_mailed"}, 30*time.Second)
}

// pauseInBrowser pauses, sees that nothing is sent, and resumes.
func pauseInBrowser(t *testing.T, env *environment, p *process, b *browser) {
	t.Helper()
	b.click(t, `//nav/a[.="Pause"]`)
	b.fill(t, "because", "Polar restores a backup")
	b.press(t, "Pause all deletions")
	b.sees(t, "Nothing is sent: console:alice paused all deletions")
	b.sees(t, "Polar restores a backup")
	p.deliver(t, sign(t, "clerk", "msg_user_paused", "user_paused"), http.StatusAccepted)
	b.click(t, `//main//a[.="resume"]`)
	require.True(t, env.polar.Exists("user_paused"))
	b.press(t, "Resume all deletions")
	require.NotContains(t, b.text(t), "paused all deletions")
	env.waitDeleted(t, []string{"user_paused"}, 60*time.Second)
}
