package cli_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestDoctorSaysWhichPolarTheDatabaseBelongsTo(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, url string) {
		server := startPolar(t)
		binding := func() check { return examine(t, server, "DATABASE_URL="+url).find(t, "binding") }
		db := databasetest.OpenMigrated(t, url)
		bind := func(organization, address string) {
			_, err := db.Main.ExecContext(t.Context(), "DELETE FROM polar_bridge_bindings")
			require.NoError(t, err)
			_, err = db.Main.ExecContext(t.Context(), "INSERT INTO polar_bridge_bindings (id, organization, address, active, bound_at) VALUES (1, $1, $2, TRUE, 1767225600000000)", organization, address)
			require.NoError(t, err)
		}
		require.Contains(t, binding().Detail, "to no Polar organization yet")

		here := server.URL().String()
		bind("", here)
		require.Equal(t, "ok", binding().Status)
		require.Contains(t, binding().Detail, "the Polar at "+here+" since 2026-01-01T00:00:00Z")
		bind("", "https://api.polar.sh")
		require.Equal(t, "fault", binding().Status)
		require.Contains(t, binding().Do, "polar-bridge rebind --because")

		bind(polartest.OrganizationID, here)
		require.Equal(t, "warning", binding().Status, "nobody is in the list")
		server.AddCustomer(polartest.Customer{ExternalID: "somebody"})
		require.Equal(t, "ok", binding().Status)
		bind("another-organization", here)
		require.Equal(t, "fault", binding().Status)
		require.Contains(t, binding().Detail, "organization another-organization since 2026-01-01T00:00:00Z, and POLAR_ACCESS_TOKEN is of "+polartest.OrganizationID)
		require.Contains(t, binding().Do, "polar-bridge rebind --because")
	})
}
