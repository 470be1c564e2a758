package e2e_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

func TestSettingsThatLookWrong(t *testing.T) {
	t.Parallel()
	kubernetes := []string{
		"POLAR_SERVICE_HOST=10.0.0.1", "POLAR_SERVICE_PORT=8080", "POLAR_SERVICE_PORT_HTTP=8080", "POLAR_PORT=tcp://10.0.0.1:8080", "POLAR_PORT_8080_TCP_ADDR=10.0.0.1",
		"POLAR_BRIDGE_SERVICE_HOST=10.0.0.2", "POLAR_BRIDGE_PORT_8080_TCP=tcp://10.0.0.2:8080", "POLAR_WEBHOOK_SECRET=polar_whs_marker", "POLAR_SUCCESS_URL=https://shop.example/ok",
		"BETTER_AUTH_SECRET=marker-secret",
	}
	doctor := func(t *testing.T, env *environment) string {
		t.Helper()
		out, _ := env.command(t, "doctor").CombinedOutput()
		return string(out)
	}
	t.Run("are warned of, and only those", func(t *testing.T) {
		t.Parallel()
		env := newEnvironment(t, databasetest.SQLite(t), append(kubernetes, "DRYRUN=true", "DRY_RUNN=true", "POLAR_ANONYMISE=true", `EXTERNAL_ID_PATTERN="^user_"`)...)
		p := env.start(t)
		for setting, problem := range map[string]string{
			"DRYRUN": "nearly DRY_RUN", "DRY_RUNN": "nearly DRY_RUN", "POLAR_ANONYMISE": "nearly POLAR_ANONYMIZE", "EXTERNAL_ID_PATTERN": "quotation marks",
		} {
			require.Regexp(t, `"level":"warn",[^\n]*"msg":"setting looks wrong","setting":"`+setting+`","problem":"[^"]*`+problem, p.output())
		}
		require.Equal(t, 4, strings.Count(p.output(), "setting looks wrong"), p.output())
		require.Zero(t, p.terminate(t))
		said := doctor(t, env)
		require.Contains(t, said, "DRY_RUNN is no setting and is ignored, but it is nearly DRY_RUN.")
		require.Contains(t, said, "0 faults, 4 warnings")
	})
	t.Run("do not stand in a pod's own environment", func(t *testing.T) {
		t.Parallel()
		env := newEnvironment(t, databasetest.SQLite(t), kubernetes...)
		p := env.start(t)
		require.NotContains(t, p.output(), "setting looks wrong")
	})
	t.Run("stop the start when the token is a person's", func(t *testing.T) {
		t.Parallel()
		env := newEnvironment(t, databasetest.SQLite(t), "POLAR_ACCESS_TOKEN=polar_pat_marker_0123456789")
		p := env.launch(t, "serve")
		p.kill()
		require.Equal(t, 1, p.command.ProcessState.ExitCode(), "it had stopped by itself")
		for _, said := range []string{p.output(), doctor(t, env)} {
			require.Contains(t, said, "reaches every organization of that person")
			require.Contains(t, said, "create an organization access token")
		}
	})
}
