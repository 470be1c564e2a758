package directory_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// organization is an attempt at the deletion of an organization's customer.
func organization(id string) deletion.Attempt {
	a := attempt()
	a.Object, a.UserID, a.ExternalID = deletion.ObjectOrganization, "", id
	return a
}

func TestADeletedOrganization(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T, living ...string) *environment {
		t.Helper()
		e := newEnvironment(t, 0)
		e.at = received().Add(time.Hour)
		e.clerk.SetOrganizations(living...)
		e.polar.AddCustomer(polartest.Customer{ExternalID: "org_1", Type: "team"})
		return e
	}
	t.Run("is confirmed as one", func(t *testing.T) {
		t.Parallel()
		e := begin(t, "org_2")
		e.requireDeleted(t, organization("org_1"))
		require.Contains(t, e.clerk.Calls(), "GET /v1/organizations/org_1")
		require.NotContains(t, e.clerk.Calls(), "GET /v1/users/org_1")
	})
	t.Run("that exists is held", func(t *testing.T) {
		t.Parallel()
		begin(t, "org_1").requireHeld(t, organization("org_1"), deletion.HoldUserExists)
	})
	t.Run("that exists is held when the event says that a user was deleted", func(t *testing.T) {
		t.Parallel()
		forged := attempt()
		forged.UserID, forged.ExternalID = "org_1", "org_1" // Clerk knows no user with that id
		begin(t, "org_1").requireHeld(t, forged, deletion.HoldUserExists)
	})
	t.Run("is held when the event names a user who exists", func(t *testing.T) {
		t.Parallel()
		e := begin(t)
		e.clerk.AddUser("user_1") // and Clerk knows no organization with that id
		e.requireHeld(t, organization("user_1"), deletion.HoldUserExists)
	})
	t.Run("is tried again where the instance has no organizations", func(t *testing.T) {
		t.Parallel()
		e := newEnvironment(t, 0)
		retry := as[deletion.Retry](t, e.apply(t, organization("org_1")))
		require.Equal(t, deletion.RetryDirectoryUnauthorized, retry.Reason)
		require.Zero(t, e.polar.Calls())
	})
	t.Run("is held where only users can be asked about", func(t *testing.T) {
		t.Parallel()
		users := newClerk(t, begin(t).clerk).Source()
		users.Organizations = nil
		confirmer := directory.NewConfirmer(map[string]directory.Source{"clerk": users}, false, received)
		hold := as[deletion.Hold](t, confirmer.Confirm(t.Context(), organization("org_1")))
		require.Equal(t, deletion.HoldUserExists, hold.Reason)
	})
}
