package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/cli"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/directory/directorytest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestReconcileAsksOnATerminalWhetherThereIsASecondInstance(t *testing.T) {
	t.Parallel()
	const reconcileToken = "polar_oat_0123456789abcdef"
	url := databasetest.SQLite(t)
	databasetest.OpenMigrated(t, url)
	customers, users := polartest.Start(t, polartest.Options{Token: reconcileToken}), directorytest.StartClerk(t)
	for i := range 30 {
		id := fmt.Sprint("user_", i)
		customers.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: time.Unix(1_500_000_000, 0)})
		if i > 0 {
			users.AddUser(id)
		}
	}
	settings := map[string]string{
		"DATABASE_URL": url, "POLAR_RATE_LIMIT": "0", "POLAR_ACCESS_TOKEN": reconcileToken, "POLAR_BASE_URL": customers.URL().String(),
		"CLERK_SECRET_KEY": directorytest.ClerkKey, "CLERK_API_URL": users.URL().String(),
	}
	reconcile := func(answer string) output {
		var stdout, stderr bytes.Buffer
		code := cli.Run(t.Context(), cli.Env{
			Args: []string{"reconcile", "--provider", "clerk", "--apply"}, ReadFile: os.ReadFile, Stdin: strings.NewReader(answer),
			Getenv: func(name string) string { return settings[name] }, Stdout: &stdout, Stderr: &stderr,
		})
		return output{code, stdout.String(), stderr.String()}
	}
	for _, answer := range []string{"", "no\n"} {
		got := reconcile(answer)
		require.Equal(t, 1, got.code, got.stderr)
		require.Contains(t, got.stdout, "user_0", got.stderr)
		require.Contains(t, got.stderr, "Put 1 deletion into the queue? An existing user of another instance or tenant of clerk looks like a deleted one.")
		require.Contains(t, got.stderr, "nothing was done")
	}
	got := reconcile("yes\n")
	require.Zero(t, got.code, got.stderr)
	require.Contains(t, got.stderr, "1 customer without a user: 1 put into the queue")
}
