package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

// oktaDelivery carries a token as Okta sends it.
func oktaDelivery(t *testing.T, token, id string) delivery {
	t.Helper()
	okta, _ := everyProvider().Lookup("okta")
	header, body, err := okta.Sample(token, provider.Sample{ExternalID: "00u_" + id, EventID: "event_" + id, Time: time.Now()})
	require.NoError(t, err)
	return delivery{"okta", header, body}
}

func TestATokenWithAComma(t *testing.T) {
	t.Parallel()
	const first, second = "marker-w4Nw^Zl*zHCDX&&L7Q!16", "marker-KkxA$0fiM9xS26Rabcd"
	env := newEnvironment(t, databasetest.SQLite(t), "OKTA_WEBHOOK_TOKEN="+first+","+second)
	p := env.start(t)
	p.deliver(t, oktaDelivery(t, first+","+second, "1"), 200)
	p.deliver(t, oktaDelivery(t, second, "2"), 401)
	p.deliver(t, oktaDelivery(t, first, "3"), 401)
}

func TestASigningSecretInAnyForm(t *testing.T) {
	t.Parallel()
	bare := strings.TrimRight(nextClerkKey, "=")
	for _, form := range []string{bare, "v1," + nextClerkKey, strings.TrimPrefix(bare, "whsec_"), "v1," + clerkKey + ",v1," + bare} {
		t.Run(form[:4], func(t *testing.T) {
			t.Parallel()
			env := newEnvironment(t, databasetest.SQLite(t), "CLERK_WEBHOOK_SIGNING_SECRET="+form)
			env.start(t).deliver(t, clerkSigned(t, nextClerkKey, "1"), 202)
		})
	}
}

// standardSigned is a deletion from any sender of Standard Webhooks.
func standardSigned(t *testing.T, key, id string) delivery {
	t.Helper()
	standard, _ := everyProvider().Lookup("standard")
	header, body, err := standard.Sample(key, provider.Sample{ExternalID: "user_" + id, EventID: "msg_" + id, Time: time.Now()})
	require.NoError(t, err)
	return delivery{"standard", header, body}
}

// write replaces a file's content as an editor does, not in one step.
func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func TestARotatedSecretFile(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T, content string) (*process, string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "secret")
		write(t, path, content)
		env := newEnvironment(t, databasetest.SQLite(t), "STANDARD_WEBHOOK_SECRET_FILE="+path)
		return env.start(t), path
	}
	says := func(t *testing.T, p *process, line string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.Contains(p.output(), line) }, patience, 20*time.Millisecond)
	}
	t.Run("is said to be taken", func(t *testing.T) {
		t.Parallel()
		p, path := begin(t, clerkKey)
		write(t, path, clerkKey+"\n"+nextClerkKey)
		says(t, p, `"msg":"secret rotated","setting":"STANDARD_WEBHOOK_SECRET","values":2`)
	})
	t.Run("keeps its old value when the provider's rules refuse the new one", func(t *testing.T) {
		t.Parallel()
		p, path := begin(t, clerkKey)
		write(t, path, "whpk_AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=") // of low order
		says(t, p, `"msg":"secret not usable","setting":"STANDARD_WEBHOOK_SECRET"`)
		p.deliver(t, standardSigned(t, clerkKey, "1"), 202)
	})
	t.Run("is read at once on SIGHUP, which ends nothing", func(t *testing.T) {
		t.Parallel()
		p, path := begin(t, clerkKey)
		write(t, path, nextClerkKey)
		require.NoError(t, p.command.Process.Signal(syscall.SIGHUP))
		says(t, p, `"msg":"told to read the files of secrets again"`)
		says(t, p, `"msg":"secret rotated","setting":"STANDARD_WEBHOOK_SECRET"`)
		p.deliver(t, standardSigned(t, nextClerkKey, "1"), 202)
		require.Zero(t, p.terminate(t))
	})
}
