package app_test

import (
	"context"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

const (
	oneKey    = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
	otherKey  = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4"
	oneToken  = "polar_oat_0123456789abcdef"
	publicKey = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
)

// watched is one secret whose file is watched.
type watched struct {
	*config.SecretSource

	spec  *provider.Spec // whose secret it is, nil for none
	look  func()         // has the file looked at once
	lines *observer.ObservedLogs

	mu      sync.Mutex
	content *string
	hangs   chan struct{} // reading waits until it is closed; nil for never
}

// watch begins to watch the named secret, whose file holds the content. It has to be
// called in a synctest bubble.
func watch(t testing.TB, name, content string) *watched {
	t.Helper()
	w := &watched{content: &content}
	environment := map[string]string{name + "_FILE": "/run/secret", "AUTH0_LOGS_UNCONFIRMED": "true"}
	loader := config.NewLoader(config.Env{Getenv: func(name string) string { return environment[name] }, ReadFile: w.read})
	all := settings.New(provider.Options{Now: time.Now})
	require.NoError(t, loader.Parse(all.Config))
	require.NoError(t, loader.Load(all))
	for _, secret := range all.Secrets() {
		if secret.Name() == name {
			w.SecretSource = secret
		}
	}
	require.NotNil(t, w.SecretSource)
	for _, spec := range all.Providers {
		if spec.EnabledBy == name {
			w.spec = spec
		}
	}
	core, lines := observer.New(zap.InfoLevel)
	w.lines = lines
	ctx, stop := context.WithCancel(t.Context())
	signals, done := make(chan os.Signal), make(chan struct{})
	go func() {
		defer close(done)
		app.WatchSecrets(ctx, all.Secrets(), signals, zap.New(core))
	}()
	t.Cleanup(func() { stop(); <-done })
	synctest.Wait() // the first look
	w.look = func() {
		signals <- syscall.SIGHUP
		synctest.Wait()
	}
	return w
}

func (w *watched) read(string) ([]byte, error) {
	w.mu.Lock()
	hangs := w.hangs
	w.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.content == nil {
		return nil, &fs.PathError{Op: "open", Path: "/run/secret", Err: fs.ErrNotExist}
	}
	return []byte(*w.content), nil
}

func (w *watched) write(content string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.content = &content
}

func (w *watched) remove() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.content = nil
}

// said returns the lines about secrets, each with its error.
func (w *watched) said() []string {
	var all []string
	for _, line := range w.lines.FilterMessageSnippet("secret ").All() {
		if text, ok := line.ContextMap()["error"].(string); ok {
			all = append(all, line.Level.String()+": "+text)
		} else if strings.HasPrefix(line.Message, "secret ") {
			all = append(all, line.Level.String()+": "+line.Message)
		}
	}
	return all
}

func TestARotatedFile(t *testing.T) {
	t.Parallel()
	const name = "CLERK_WEBHOOK_SIGNING_SECRET"
	t.Run("is taken when two looks found the same", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := watch(t, name, oneKey)
			w.write(oneKey + "\n" + otherKey)
			w.look()
			require.Equal(t, []string{oneKey}, w.Values())
			w.look()
			require.Equal(t, []string{oneKey, otherKey}, w.Values())
			require.Equal(t, []string{"info: secret rotated"}, w.said())
			w.look()
			require.Len(t, w.said(), 1, "looking again changes nothing")
		})
	})
	t.Run("is looked at every second", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := watch(t, name, oneKey)
			w.write(otherKey)
			later := time.NewTimer(2100 * time.Millisecond)
			<-later.C
			require.Equal(t, []string{otherKey}, w.Values())
		})
	})
	t.Run("is not taken while it is being written", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := watch(t, name, oneKey)
			for _, half := range []string{"", otherKey[:30], otherKey[:36]} { // the last two would be keys
				w.write(half)
				w.look()
				require.Equal(t, []string{oneKey}, w.Values())
			}
			w.write(otherKey)
			w.look()
			w.look()
			require.Equal(t, []string{otherKey}, w.Values())
			require.Equal(t, []string{"info: secret rotated"}, w.said())
		})
	})
	t.Run("is not complained of when it is gone for a moment", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := watch(t, name, oneKey)
			w.remove()
			w.look()
			w.write(otherKey)
			w.look()
			w.look()
			require.Equal(t, []string{otherKey}, w.Values())
			require.Equal(t, []string{"info: secret rotated"}, w.said())
		})
	})
}

func TestAnUnusableNewValueKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, "POLAR_ACCESS_TOKEN", oneToken)
		poll := func(content string) {
			w.write(content)
			for range 3 {
				w.look()
				require.Equal(t, oneToken, w.Value())
			}
		}
		poll("marker")
		require.Equal(t, []string{"error: POLAR_ACCESS_TOKEN must be at least 16 characters long; the old value stays in force"}, w.said())
		poll("\n")
		require.Len(t, w.said(), 2)
		poll(oneToken)
		require.Len(t, w.said(), 2)
		poll("\n")
		require.Equal(t, "error: POLAR_ACCESS_TOKEN comes from a file that is empty; the old value stays in force", w.said()[2])
		require.NotContains(t, strings.Join(w.said(), ""), "marker")
	})
}

// Each has a value that looks like a secret and is none to its provider.
func TestEveryWebhookSecretIsRotatedByItsProvidersRules(t *testing.T) {
	t.Parallel()
	text := func(name string) [3]string { return [3]string{name, oneToken, oneToken + "\u200b"} }
	bad := map[string]string{
		publicKey: "whsk_" + strings.TrimPrefix(publicKey, "whpk_"),
		oneKey:    "whpk_" + base64.StdEncoding.EncodeToString(append([]byte{1}, make([]byte, 31)...)),
	}
	tests := [][3]string{{"FUSIONAUTH_WEBHOOK_KEY", oneToken, "https://auth.example.com/.well-known/jwks.json"}}
	for good, other := range bad {
		tests = append(tests, [3]string{"STANDARD_WEBHOOK_SECRET", good, other})
	}
	for _, spec := range everyProvider() {
		switch {
		case spec.Secret == nil: // an address, which cannot change
		case spec.Scheme.CheckKey(oneToken) != nil:
			tests = append(tests, [3]string{spec.EnabledBy, oneKey, strings.TrimSuffix(publicKey, "=") + "!"})
		case spec.SignedID:
			tests = append(tests, text(spec.EnabledBy))
		case spec.Scheme.CheckKey("Bearer "+oneToken) == nil:
			tests = append(tests, [3]string{spec.EnabledBy, oneToken, "Basic dXNlcjpwYXNz"})
		default:
			tests = append(tests, [3]string{spec.EnabledBy, oneToken, "Bearer " + oneToken})
		}
	}
	require.GreaterOrEqual(t, len(tests), len(everyProvider()))
	for _, tt := range tests {
		t.Run(tt[0], func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := watch(t, tt[0], tt[1])
				w.write(tt[2])
				w.look()
				w.look()
				require.Len(t, w.said(), 1)
				require.Regexp(t, "^error: "+tt[0]+" must .*; the old value stays in force$", w.said()[0])
				require.Equal(t, []string{tt[1]}, w.Values())
				require.True(t, w.spec.Enabled())
			})
		})
	}
}

func TestSymlinkSwap(t *testing.T) {
	t.Parallel()
	// What Kubernetes does: token -> ..data/token, ..data -> ..1, and a rename
	// puts ..data -> ..2 in its place.
	dir := t.TempDir()
	for version, content := range map[string]string{"..1": oneToken, "..2": oneToken + "-new"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, version), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, version, "token"), []byte(content), 0o600))
	}
	require.NoError(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	require.NoError(t, os.Symlink("..data/token", filepath.Join(dir, "token")))

	environment := map[string]string{"AUTH0_WEBHOOK_TOKEN_FILE": filepath.Join(dir, "token")}
	loader := config.NewLoader(config.Env{Getenv: func(name string) string { return environment[name] }, ReadFile: os.ReadFile})
	all := settings.New(provider.Options{Now: time.Now})
	require.NoError(t, loader.Parse(all.Config))
	require.NoError(t, loader.Load(all))
	secret := all.Providers.Auth0().WebhookToken
	require.Equal(t, oneToken, secret.Value())

	require.NoError(t, os.Symlink("..2", filepath.Join(dir, "..tmp")))
	require.NoError(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
	ctx, cancel := context.WithCancel(t.Context())
	done, signals := make(chan struct{}), make(chan os.Signal)
	go func() {
		defer close(done)
		app.WatchSecrets(ctx, all.Secrets(), signals, zap.NewNop())
	}()
	for range 3 { // when the third one is taken, two looks are over
		signals <- syscall.SIGHUP
	}
	cancel()
	<-done
	require.Equal(t, oneToken+"-new", secret.Value())
}

func TestReadingHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, "ADMIN_PASSWORD", "correct horse battery")
		w.write("another horse battery")
		hangs := make(chan struct{})
		w.mu.Lock()
		w.hangs = hangs
		w.mu.Unlock()
		later := time.NewTimer(3 * time.Second)
		<-later.C
		require.Equal(t, "correct horse battery", w.Value(), "the old value, at once")
		close(hangs)
		synctest.Wait()
	})
}

// FuzzRotatedSecret puts arbitrary content into the files of a running program's
// secrets. The old values stay in force, and the one problem shows nothing of the
// content, or every new value serves its provider.
func FuzzRotatedSecret(f *testing.F) {
	for _, seed := range []string{
		oneKey, oneKey + "\n" + otherKey, oneToken, "", "\n", ",", "whsec_", "whsec_AAAA", "whsec_AAECAwQFBgcICQoLDA0O", "Bearer " + oneToken, oneToken + " ", "Basic " + oneToken,
		"\xff\xfe" + oneKey, oneKey + "\x00", "a\r\nb", " " + oneKey + " , " + otherKey,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, content := range []string{text, "MARKER7391" + text, text + "MARKER7391"} {
			for name, good := range map[string]string{"CLERK_WEBHOOK_SIGNING_SECRET": oneKey, "AUTH0_WEBHOOK_TOKEN": oneToken, "AUTH0_LOGS_TOKEN": oneToken} {
				synctest.Test(t, func(t *testing.T) { rotate(t, name, good, content) })
			}
		}
	})
}

func rotate(t *testing.T, name, good, content string) {
	t.Helper()
	w := watch(t, name, good)
	w.write(content)
	for range 3 {
		w.look()
	}
	require.LessOrEqual(t, len(w.said()), 1)
	if said := strings.Join(w.said(), ""); strings.HasPrefix(said, "error") {
		require.Equal(t, []string{good}, w.Values())
		require.NotContains(t, said, "MARKER7391")
		return
	}
	require.NotEmpty(t, w.Values())
	for _, value := range w.Values() {
		require.NoError(t, w.spec.Scheme.CheckKey(value), "what the settings take, the provider takes")
	}
}
