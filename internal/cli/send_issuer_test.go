package cli_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	allsettings "github.com/polar-bridge/polar-bridge/internal/settings"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestSendStandsInForAnIssuerOnThisMachine(t *testing.T) {
	t.Parallel()
	kinde, fusionauth := "http://"+freeAddress(t), "http://"+freeAddress(t)+"/.well-known/jwks.json"
	server := serverThatTrusts(t, kinde, fusionauth)
	variables := map[string]string{"KINDE_ISSUER_URL": kinde, "FUSIONAUTH_JWKS_URL": fusionauth}

	// Each time with another key: the server has to look for it.
	first := run(t, variables, "send", "kinde", "--url", server, "--event-id", "event_1")
	require.Contains(t, first.stdout, ": 200")
	require.Empty(t, first.stderr)
	again := run(t, variables, "send", "kinde", "--url", server, "--event-id", "event_1", "--json")
	require.Contains(t, again.stdout, `"status":200`)
	require.Zero(t, again.code)

	args := []string{"send", "fusionauth", "--url", server, "--event-id", "event_1"}
	require.Contains(t, run(t, variables, args...).stdout, ": 202 ")
	require.Contains(t, run(t, variables, args...).stdout, ": 200 ")
}

func TestSendWithAnHMACKeyNeedsNoIssuer(t *testing.T) {
	t.Parallel()
	server := serverThatTrusts(t, "", "")
	variables := map[string]string{"FUSIONAUTH_WEBHOOK_KEY": marker + "-0123456789abcdef"}
	sent := run(t, variables, "send", "fusionauth", "--url", server)
	require.Contains(t, sent.stdout, ": 401 ", "the server has another key")
	variables["FUSIONAUTH_WEBHOOK_KEY"] = hmacKey
	require.Contains(t, run(t, variables, "send", "fusionauth", "--url", server).stdout, ": 202 ")
}

func TestSendCannotSignForARealIssuer(t *testing.T) {
	t.Parallel()
	for name, variables := range map[string]map[string]string{
		"kinde":      {"KINDE_ISSUER_URL": "https://shop.kinde.com"},
		"fusionauth": {"FUSIONAUTH_JWKS_URL": "https://shop.example.com/jwks"},
	} {
		refused := run(t, variables, "send", name)
		require.Equal(t, 1, refused.code)
		require.Empty(t, refused.stdout)
		require.Contains(t, refused.stderr, "private keys that nobody else has")
		require.Contains(t, refused.stderr, "with http://127.0.0.1:9999")
	}
	occupied := run(t, map[string]string{"KINDE_ISSUER_URL": serverThatTrusts(t, "", "")}, "send", "kinde")
	require.Equal(t, 1, occupied.code)
	require.Contains(t, occupied.stderr, "publish a key where the server looks for it")
}

const hmacKey = "fusionauth-0123456789abcdef0123456789abcdef"

// serverThatTrusts runs a server and returns its address.
func serverThatTrusts(t *testing.T, kinde, fusionauth string) string {
	t.Helper()
	polar := polartest.New(polartest.Options{Token: polarToken})
	address, err := polar.Start("")
	require.NoError(t, err)
	environment := map[string]string{
		"POLAR_ACCESS_TOKEN": polarToken, "POLAR_BASE_URL": address, "DATABASE_URL": "sqlite:" + filepath.Join(t.TempDir(), "bridge.db"),
		"LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "KINDE_ISSUER_URL": kinde, "FUSIONAUTH_JWKS_URL": fusionauth,
	}
	if fusionauth == "" {
		environment["FUSIONAUTH_WEBHOOK_KEY"] = hmacKey
	}
	all := readSettings(t, environment)
	ctx, cancel := context.WithCancel(context.Background()) //nolint:usetesting // ended before the database's folder goes
	service, err := app.New(ctx, app.Options{Settings: all, Logger: zap.NewNop(), Now: time.Now})
	if err != nil {
		cancel()
	}
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, polar.Close())
	})
	return "http://" + service.PublicAddr().String()
}

// freeAddress returns a loopback address at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func readSettings(t *testing.T, environment map[string]string) allsettings.All {
	t.Helper()
	all, err := allsettings.Read(config.Env{Getenv: func(name string) string { return environment[name] }}, provider.Options{Now: time.Now})
	require.NoError(t, err)
	return all
}
