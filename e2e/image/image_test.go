//go:build image

package image_test

import (
	"context"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// Secrets of the container.
const (
	polarToken = "polar_oat_0123456789abcdef"
	clerkKey   = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
	logsToken  = "0123456789abcdef-auth0-logs"
)

// podman runs a command of podman and returns what it printed.
func podman(t *testing.T, args ...string) string {
	t.Helper()
	out, err := try(t, args...)
	require.NoError(t, err, out)
	return out
}

func try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "podman", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// image returns the name of an image that scripts/image-test has built.
func image(t *testing.T, variable string) string {
	t.Helper()
	name := os.Getenv(variable)
	require.NotEmpty(t, name, "run scripts/image-test")
	return name
}

// freePort returns a port on which nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	port, err := databasetest.FreePort()
	require.NoError(t, err)
	return port
}

// container is the image, running.
type container struct {
	name          string
	webhooks      string
	polar         *polartest.Server
	listen, admin string
}

// newVolume makes a volume, as podman does: it takes over the owner of the image's
// folder.
func newVolume(t *testing.T) string {
	t.Helper()
	name := "polar-bridge-test-" + freePort(t)
	podman(t, "volume", "create", name)
	t.Cleanup(func() { podman(t, "volume", "rm", "--force", name) })
	return name
}

// start runs serve as a cluster would: nothing to write to but the volume, no /tmp
// either, which podman would add, no capability, little memory.
func start(t *testing.T, volume string, args ...string) container {
	t.Helper()
	c := container{polar: polartest.Start(t, polartest.Options{Token: polarToken}), name: "polar-bridge-test-" + freePort(t)}
	c.listen, c.admin = "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t)
	c.webhooks = "http://" + c.listen
	run := []string{
		"run", "--detach", "--name", c.name, "--network=host", "--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=256m", "--volume=" + volume + ":/data",
		"--env=POLAR_ACCESS_TOKEN=" + polarToken, "--env=POLAR_BASE_URL=" + c.polar.URL().String(), "--env=POLAR_ANONYMIZE=true",
		"--env=CLERK_WEBHOOK_SIGNING_SECRET=" + clerkKey, "--env=AUTH0_LOGS_TOKEN=" + logsToken, "--env=AUTH0_LOGS_UNCONFIRMED=true", "--env=LISTEN_ADDR=" + c.listen, "--env=ADMIN_ADDR=" + c.admin,
	}
	podman(t, append(append(run, args...), image(t, "IMAGE"))...)
	t.Cleanup(func() { podman(t, "rm", "--force", "--time=0", c.name) })
	require.Eventually(t, func() bool { return c.healthy(t) || c.inspect(t, "{{.State.Running}}") == "false" }, time.Minute, 200*time.Millisecond)
	require.True(t, c.healthy(t), podman(t, "logs", c.name))
	return c
}

// healthy asks what the image's own health check asks.
func (c container) healthy(t *testing.T) bool {
	t.Helper()
	_, err := try(t, "healthcheck", "run", c.name)
	return err == nil
}

func (c container) inspect(t *testing.T, format string) string {
	t.Helper()
	return podman(t, "inspect", "--format="+format, c.name)
}

// send posts always the same signed deletion, that of user_1.
func (c container) send(t *testing.T) string {
	t.Helper()
	return podman(t, "exec", c.name, "/polar-bridge", "send", "clerk", "--url="+c.webhooks, "--external-id=user_1", "--event-id=msg_1", "--yes")
}

func (c container) waitDeleted(t *testing.T, externalID string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(t, c.polar.WaitForDeleted(ctx, externalID), podman(t, "logs", c.name))
}

func TestALockedDownContainerDeletesTheCustomerAndStopsCleanly(t *testing.T) {
	t.Parallel()
	c := start(t, newVolume(t))
	c.polar.AddCustomer(polartest.Customer{ExternalID: "user_1"})

	require.Contains(t, c.send(t), ": 202 ")
	c.waitDeleted(t, "user_1")
	require.Contains(t, c.send(t), `"status":"duplicate"`)
	require.Equal(t, 1, c.polar.Deleted("user_1"))

	podman(t, "stop", "--time=30", c.name)
	require.Equal(t, "0", c.inspect(t, "{{.State.ExitCode}}"), podman(t, "logs", c.name))
	require.Contains(t, podman(t, "logs", c.name), `"msg":"stopped"`)
}

// OpenShift runs a pod as a user that nobody knows, in group 0.
func TestAnyUserOfGroupZeroRunsIt(t *testing.T) {
	t.Parallel()
	c := start(t, newVolume(t), "--user=1000660000:0")
	c.polar.AddCustomer(polartest.Customer{ExternalID: "user_1"})
	require.Contains(t, c.send(t), ": 202 ")
	c.waitDeleted(t, "user_1")
}

func TestAVolumeOutlivesTheContainer(t *testing.T) {
	t.Parallel()
	volume := newVolume(t)
	first := start(t, volume)
	require.Contains(t, first.send(t), ": 202 ")
	podman(t, "stop", "--time=30", first.name)
	second := start(t, volume)
	require.Contains(t, second.send(t), `"status":"duplicate"`)

	podman(t, "exec", second.name, "/polar-bridge", "backup", "/data/backup.db")
	restored := start(t, volume, "--env=DATABASE_URL=sqlite:/data/backup.db")
	require.Contains(t, restored.send(t), `"status":"duplicate"`)
}

// The chart empties the image's DATABASE_URL to name a file in its place.
func TestAnEmptyVariableGivesWayToAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(file, []byte("sqlite:/data/other.db\n"), 0o600))
	require.NoError(t, os.Chmod(file, 0o644))
	c := start(t, newVolume(t), "--env=DATABASE_URL=", "--env=DATABASE_URL_FILE=/etc/database-url", "--volume="+file+":/etc/database-url:ro")
	require.Contains(t, c.send(t), ": 202 ")
}

// described is what podman says of an image.
type described struct {
	Architecture string
	Size         int64
	Config       struct {
		User         string
		Env          []string
		Entrypoint   []string
		Cmd          []string
		ExposedPorts map[string]any
		Labels       map[string]string
		StopSignal   string
	}
	HealthCheck struct{ Test []string }
}

func TestTheImageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	var all []described
	require.NoError(t, json.Unmarshal([]byte(podman(t, "image", "inspect", image(t, "IMAGE"))), &all))
	d := all[0]
	require.Equal(t, "65532:65532", d.Config.User, "a number, for runAsNonRoot")
	require.Equal(t, []string{"/polar-bridge"}, d.Config.Entrypoint)
	require.Equal(t, []string{"serve"}, d.Config.Cmd)
	require.Equal(t, "SIGTERM", d.Config.StopSignal)
	require.Equal(t, []string{"CMD", "/polar-bridge", "healthcheck"}, d.HealthCheck.Test)
	require.Contains(t, d.Config.Env, "DATABASE_URL=sqlite:/data/polar-bridge.db")
	require.Contains(t, d.Config.Env, "ADMIN_ADDR=:9090")
	require.Contains(t, d.Config.ExposedPorts, "8080/tcp")
	require.Contains(t, d.Config.ExposedPorts, "9090/tcp")
	for _, label := range []string{"title", "description", "source", "url", "documentation", "licenses", "version", "revision", "vendor", "base.name"} {
		require.NotEmpty(t, d.Config.Labels["org.opencontainers.image."+label], label)
	}
	require.Equal(t, "0.0.0-test", d.Config.Labels["org.opencontainers.image.version"])
	require.Contains(t, podman(t, "run", "--rm", "--network=none", image(t, "IMAGE"), "version"), "0.0.0-test")
}

func TestTheImageCarriesTheLicenceOfEveryModuleInTheBinary(t *testing.T) {
	t.Parallel()
	root := podman(t, "image", "mount", image(t, "IMAGE"))
	t.Cleanup(func() { podman(t, "image", "unmount", image(t, "IMAGE")) })
	built, err := buildinfo.ReadFile(filepath.Join(root, "polar-bridge"))
	require.NoError(t, err)
	require.NotEmpty(t, built.Deps)
	sources, err := os.ReadFile(filepath.Join(root, "licenses", "modules.csv"))
	require.NoError(t, err)
	for _, module := range built.Deps {
		require.Contains(t, "\n"+string(sources), "\n"+module.Path, "where its source is")
		found := 0
		require.NoError(t, filepath.WalkDir(filepath.Join(root, "licenses", module.Path), func(_ string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				found++
			}
			return err
		}))
		require.NotZero(t, found, module.Path)
	}
}

// files returns the modes of all that is in an image.
func files(t *testing.T, image string) map[string]fs.FileMode {
	t.Helper()
	root := podman(t, "image", "mount", image)
	t.Cleanup(func() { podman(t, "image", "unmount", image) })
	all := map[string]fs.FileMode{}
	require.NoError(t, fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		all[path] = info.Mode()
		return err
	}))
	return all
}

// A scanner finds nothing but the program: no shell, no package, no secret of the build.
func TestTheImageHasTheProgramItsLicencesAndNothingElse(t *testing.T) {
	t.Parallel()
	var all []described
	require.NoError(t, json.Unmarshal([]byte(podman(t, "image", "inspect", image(t, "IMAGE"))), &all))
	base := files(t, all[0].Config.Labels["org.opencontainers.image.base.name"])
	require.Contains(t, base, "etc/ssl/certs/ca-certificates.crt")
	added := map[string]bool{}
	for path, mode := range files(t, image(t, "IMAGE")) {
		if _, known := base[path]; !known {
			top, _, _ := strings.Cut(path, "/")
			added[top] = true
		}
		executable := mode.IsRegular() && mode.Perm()&0o111 != 0
		require.Equal(t, path == "polar-bridge", executable, path)
		require.Zero(t, mode&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeDevice), path)
	}
	require.Equal(t, map[string]bool{"polar-bridge": true, "licenses": true, "data": true}, added)
}

func TestTheBinaryIsStaticStrippedAndSmall(t *testing.T) {
	t.Parallel()
	for variable, machine := range map[string]elf.Machine{"IMAGE": elf.EM_X86_64, "IMAGE_ARM64": elf.EM_AARCH64} {
		t.Run(fmt.Sprint(machine), func(t *testing.T) {
			t.Parallel()
			const most = 32 << 20 // what docs/performance.md explains, and 3 % to grow
			root := podman(t, "image", "mount", image(t, variable))
			t.Cleanup(func() { podman(t, "image", "unmount", image(t, variable)) })
			path := filepath.Join(root, "polar-bridge")
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.LessOrEqual(t, info.Size(), int64(most))
			t.Logf("%d bytes", info.Size())
			binary, err := elf.Open(path)
			require.NoError(t, err)
			defer binary.Close() //nolint:errcheck // only read
			require.Equal(t, machine, binary.Machine)
			libraries, err := binary.ImportedLibraries()
			require.NoError(t, err)
			require.Empty(t, libraries)
			require.Nil(t, binary.Section(".symtab"))
			require.Nil(t, binary.Section(".interp"))

			data, err := os.ReadDir(filepath.Join(root, "data"))
			require.NoError(t, err)
			require.Empty(t, data)
		})
	}
}
