package cli_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/polar-bridge/polar-bridge/internal/directory/directorytest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// cleanup ends a stand-in with its script.
type cleanup struct{ ts *testscript.TestScript }

// Cleanup implements directorytest.TB.
func (c cleanup) Cleanup(f func()) { c.ts.Defer(f) }

// scriptClerk starts a local Clerk.
func scriptClerk(ts *testscript.TestScript, _ bool, args []string) {
	c := directorytest.StartClerk(cleanup{ts})
	switch fault := strings.Join(args, " "); fault {
	case "":
	case "failing":
		c.Always(directorytest.Status(401))
	case "another instance":
	default:
		ts.Fatalf("there is no fault %q", fault)
	}
	environmentOf(ts).clerk = c
	ts.Setenv("CLERK_API_URL", c.URL().String())
	ts.Setenv("CLERK_SECRET_KEY", directorytest.ClerkKey)
}

// scriptPeople adds customers user_FROM to user_TO, who have users unless gone.
func scriptPeople(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: people FROM TO [gone]")
	}
	from, err := strconv.Atoi(args[0])
	ts.Check(err)
	to, err := strconv.Atoi(args[1])
	ts.Check(err)
	env := environmentOf(ts)
	for i := from; i <= to; i++ {
		id := fmt.Sprint("user_", i)
		env.polar.AddCustomer(polartest.Customer{
			ExternalID: id, CreatedAt: time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC), ActiveSubscriptions: i,
		})
		if len(args) == 2 {
			env.clerk.AddUser(id)
		}
	}
}

// scriptAuth0 starts a local Auth0 with two failed deliveries, disabled or not.
func scriptAuth0(ts *testscript.TestScript, _ bool, args []string) {
	a := directorytest.StartAuth0(cleanup{ts}, "read:event_streams", "read:event_deliveries", "update:event_deliveries")
	a.AddStream(directorytest.Stream{ID: "est_1", Name: "bridge", Disabled: strings.Join(args, "") == "disabled", Failed: []string{"evt_1", "evt_2"}})
	ts.Setenv("AUTH0_DOMAIN", a.URL().String())
	ts.Setenv("AUTH0_CLIENT_ID", directorytest.Auth0ClientID)
	ts.Setenv("AUTH0_CLIENT_SECRET", directorytest.Auth0ClientSecret)
}
