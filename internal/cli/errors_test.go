package cli_test

import (
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each error names the setting and the next step; run also looks for secrets in it.
func TestErrorsNameTheSettingAndTheNextStep(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) })
	require.NoError(t, os.WriteFile(filepath.Join(folder, "no.env"), []byte("NAME\n"), 0o600))
	ours := "sqlite:" + filepath.Join(folder, "bridge.db")

	serve, list, send := []string{"serve"}, []string{"deletions", "list"}, []string{"send", "clerk", "--url", "http://127.0.0.1:1"}
	for _, tt := range []struct {
		name, value string
		args        []string
		code        int
		says        string
	}{
		{"LISTEN_ADDR", taken.Addr().String(), serve, 1, `as LISTEN_ADDR or PORT says: listen tcp .*: address already in use`},
		{"ADMIN_ADDR", taken.Addr().String(), serve, 1, `as ADMIN_ADDR says: listen tcp .*: address already in use`},
		{"DATABASE_URL", "sqlite:" + filepath.Join(folder, "none", "b.db"), serve, 1, `the folder of DATABASE_URL does not exist: make ".*none", or name another`},
		{"DATABASE_URL", "sqlite:" + folder, serve, 1, `is a directory: name in DATABASE_URL a file that this user may write`},
		{"DATABASE_URL", "postgres://u:" + marker + "@127.0.0.1:1/d", serve, 1, `connect to Postgres, as DATABASE_URL says: .*u`},
		{"DATABASE_URL", "sqlite:" + filepath.Join(folder, "none", "b.db"), list, 1, `the folder of DATABASE_URL does not exist`},
		{"DATABASE_URL", "sqlite:" + filepath.Join(folder, "none.db"), list, 1, `there is no SQLite file ".*none.db": set DATABASE_URL to the server's`},
		{"DATABASE_URL", "sqlite:" + filepath.Join(folder, "none.db"), []string{"backup", filepath.Join(folder, "copy.db")}, 1, `set DATABASE_URL to the server's`},
		{"DATABASE_URL", "postgres://u:" + marker + "@127.0.0.1:1/d", list, 1, `as DATABASE_URL says`},
		{"DATABASE_URL", "bridge.db", serve, 1, `DATABASE_URL must be sqlite:PATH or postgres://`},
		{"RETENTION", "30x", serve, 1, `RETENTION must be a duration with its unit, such as 500ms, 5s, 72h or 30d \(it is "30x"\)\.`},
		{"POLAR_BASE_URL", "polar.sh", serve, 1, `POLAR_BASE_URL must be an absolute URL such as https://`},
		{"POLAR_ACCESS_TOKEN", "", serve, 1, `POLAR_ACCESS_TOKEN is required; create an organization access token`},
		{"AUTH0_WEBHOOK_TOKEN_FILE", "/none", serve, 1, `AUTH0_WEBHOOK_TOKEN and AUTH0_WEBHOOK_TOKEN_FILE are both set; unset one of them`},
		{"KEYCLOAK_WEBHOOK_SECRET_FILE", "/none", serve, 1, `KEYCLOAK_WEBHOOK_SECRET comes from a file that cannot be read \(no such file or directory\)`},
		{"CLERK_WEBHOOK_SIGNING_SECRET", "", send, 1, `CLERK_WEBHOOK_SIGNING_SECRET is not set: it must be the secret that the server has`},
		{"", "", send, 1, `connection refused; is the server running, and is --url its address\?`},
		{"ADMIN_ADDR", "127.0.0.1:1", []string{"healthcheck"}, 1, `is serve running, and is ADMIN_ADDR or --url its address\?`},
		{"", "", []string{"--env-file", "/none", "migrate"}, 2, `--env-file: there is no file "/none"`},
		{"", "", []string{"--env-file", filepath.Join(folder, "no.env"), "migrate"}, 1, `--env-file: ".*no.env" does not consist of lines NAME=value`},
		{"", "", []string{"reconcile", "--provider", "clerk"}, 1, `Clerk cannot be asked: set CLERK_SECRET_KEY`},
		{"", "", []string{"reconcile", "--provider", "clerk", "--max-share", "5"}, 2, `--max-share: must be a percentage such as 5% or 0\.5%`},
		{"", "", []string{"deletions", "list", "--state", "open"}, 2, `--state: there is no "open"; choose one of waiting, held`},
		{"", "", []string{"deletions", "list", "--since", "soon"}, 2, `--since: must be a duration such as 72h or 30d, a date`},
		{"", "", []string{"deletions", "approve"}, 2, `say which deletions: either ids, or --reason, or --all`},
		{"", "", []string{"serv"}, 2, `unexpected argument serv, did you mean one of "serve", "send"\?`},
	} {
		t.Run(tt.name+" "+tt.says, func(t *testing.T) {
			t.Parallel()
			variables := settings()
			maps.Copy(variables, map[string]string{"DATABASE_URL": ours + tt.name, "POLAR_BASE_URL": "http://127.0.0.1:1"})
			if tt.name != "" {
				variables[tt.name] = tt.value
			}
			got := run(t, variables, tt.args...)
			require.Equal(t, tt.code, got.code, got.stderr)
			require.Regexp(t, tt.says, got.stderr)
		})
	}
}

func TestSendSaysWhyTheServerDidNotTakeTheEvent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status     int
		body, says string
	}{
		{http.StatusUnauthorized, `{"error":"unauthenticated"}`, `the secret differs from the server's: compare CLERK_WEBHOOK_SIGNING_SECRET here and there`},
		{http.StatusUnauthorized, `{"error":"unauthenticated","reason":"body_changed"}`, `a proxy in front of the server changes the body`},
		{http.StatusNotFound, `{"error":"not_found"}`, `the server has no such route: CLERK_WEBHOOK_SIGNING_SECRET is not set there`},
		{http.StatusServiceUnavailable, `{"error":"unavailable"}`, `it is in trouble itself: see its log and polar-bridge doctor`},
		{http.StatusPermanentRedirect, "", `the address redirects, which providers do not follow`},
	} {
		t.Run(tt.says, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			t.Cleanup(server.Close)
			got := run(t, settings(), "send", "clerk", "--url", server.URL, "--external-id", "user_1", "--yes")
			require.Equal(t, 1, got.code, got.stderr)
			require.Contains(t, got.stderr, tt.says)
		})
	}
}
