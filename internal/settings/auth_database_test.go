package settings_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnAuthDatabase(t *testing.T) {
	t.Parallel()
	base := []string{"POLAR_ACCESS_TOKEN", goodToken, "AUTH_DATABASE_URL", "postgres://polar_bridge:password@host/name"}
	t.Run("with an outbox is enough to serve", func(t *testing.T) {
		t.Parallel()
		all, err := with(append(base, "AUTH_DATABASE_SCHEMA", "kratos", "AUTH_DATABASE_OUTBOX", "true")...).parse(nil, forServe)
		require.NoError(t, err)
		require.Equal(t, []string{"kratos"}, all.Enabled())
		require.Empty(t, all.Reconciled())
		_, err = with(append(base, "AUTH_DATABASE_SCHEMA", "kratos")...).parse(nil, forServe)
		require.ErrorContains(t, err, "No identity provider is enabled; set one of ")
		require.ErrorContains(t, err, ", AUTH_DATABASE_OUTBOX.")
	})
	t.Run("says who exists, under the name of the webhooks' provider", func(t *testing.T) {
		t.Parallel()
		all, err := with(append(base, "AUTH_DATABASE_SCHEMA", "supabase", "SUPABASE_WEBHOOK_TOKEN", goodToken, "RECONCILE_INTERVAL", "24h", "CONFIRM", "true")...).parse(nil, forServe)
		require.NoError(t, err)
		require.Equal(t, []string{"supabase"}, all.Reconciled())
		require.Equal(t, []string{"supabase"}, all.Enabled())
		require.NoError(t, all.CheckReconcile("supabase"))
		require.ErrorContains(t, all.CheckReconcile("kratos"), "set AUTH_DATABASE_URL")
		require.ErrorContains(t, all.CheckReconcile("okta"), "cannot be asked")
	})
	t.Run("is known by a name of its own when only a table is named", func(t *testing.T) {
		t.Parallel()
		all, err := with(append(base, "AUTH_DATABASE_USERS", "app.members.id", "AUTH_DATABASE_OUTBOX", "true")...).parse(nil, forServe)
		require.NoError(t, err)
		require.Equal(t, []string{"auth-database"}, all.Enabled())
		require.Contains(t, all.ProviderNames(), "auth-database")
	})
}
