package cli_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/polar-bridge/polar-bridge/internal/cli"
)

// Secrets of the tests. The marker says where they must never appear.
const (
	marker        = "marker"
	polarToken    = "polar_oat_marker_0123456789"
	clerkKey      = "whsec_bWFya2VyLXNlY3JldC1tYXJrZXItc2VjcmV0"
	auth0Token    = "marker-auth0-token-0123456789"
	logsToken     = "marker-auth0-logs-token-0123456789"
	adminPassword = "marker-password-0123456789"
)

// settings are those of an operator who has set everything up but Polar.
func settings() map[string]string {
	return map[string]string{
		"POLAR_ACCESS_TOKEN": polarToken, "POLAR_ANONYMIZE": "true",
		"CLERK_WEBHOOK_SIGNING_SECRET": clerkKey, "AUTH0_WEBHOOK_TOKEN": auth0Token,
		"AUTH0_LOGS_TOKEN": logsToken, "AUTH0_LOGS_UNCONFIRMED": "true", "ADMIN_PASSWORD": adminPassword,
		"LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0",
		// Nothing but loopback can be reached.
		"HTTPS_PROXY": "http://127.0.0.1:1",
	}
}

// secrets are texts that may stand in no output.
func secrets() []string { return []string{marker, clerkKey[len("whsec_"):]} }

// output is what one run of a command left.
type output struct {
	code           int
	stdout, stderr string
}

// run runs a command in this process.
func run(t *testing.T, variables map[string]string, args ...string) output {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := cli.Run(t.Context(), cli.Env{
		Args: args, Getenv: func(name string) string { return variables[name] }, ReadFile: os.ReadFile,
		Stdout: &stdout, Stderr: &stderr, Version: "v1.2.3", Revision: "0123abc",
	})
	for _, secret := range secrets() {
		if bytes.Contains(stdout.Bytes(), []byte(secret)) || bytes.Contains(stderr.Bytes(), []byte(secret)) {
			t.Fatalf("%v prints a secret:\n%s%s", args, &stdout, &stderr)
		}
	}
	return output{code, stdout.String(), stderr.String()}
}
