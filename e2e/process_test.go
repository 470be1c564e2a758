package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// binaryVariable tells the tests where TestMain has built the program.
const binaryVariable = "POLAR_BRIDGE_E2E_BINARY"

func TestMain(m *testing.M) {
	if os.Getenv(writingVariable) != "" {
		writePulse()
		return
	}
	os.Exit(databasetest.Main(m, build, runMore, feelPulse))
}

// build builds the program as it is shipped, without the race detector.
func build() error {
	dir, err := os.MkdirTemp("", "polar-bridge-e2e-") // removed with all others
	if err != nil {
		return err
	}
	binary := filepath.Join(dir, "polar-bridge")
	command := exec.Command("go", "build", "-trimpath", "-o", binary, "..")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return os.Setenv(binaryVariable, binary)
}

// runMore runs more tests at once than there are cores: these wait more than they compute.
func runMore() error {
	parallel := flag.Lookup("test.parallel")
	if parallel.Value.String() != parallel.DefValue {
		return nil
	}
	const perCore = 2
	return parallel.Value.Set(strconv.Itoa(perCore * runtime.GOMAXPROCS(0)))
}

// patience is how long a test waits at least for what has no bound of its own: a loaded
// machine may take most of it.
const patience = time.Minute

// Secrets of the tests. The name says where they must never appear.
const (
	polarToken = "polar_oat_marker_secret_0123456789"
	clerkKey   = "whsec_bWFya2VyLXNlY3JldC1tYXJrZXItc2VjcmV0"
	auth0Token = "marker-secret-auth0-token"
	logsToken  = "marker-secret-auth0-logs-token"
)

// environment is a local Polar and a database that survive the processes.
type environment struct {
	polar    *polartest.Server
	database string
	settings map[string]string
	confined func(*exec.Cmd) // set by confine
	data     string          // a confined environment's /data
}

func newEnvironment(t *testing.T, database string, settings ...string) *environment {
	t.Helper()
	env := &environment{
		polar: polartest.Start(t, polartest.Options{Token: polarToken}), database: database,
		settings: map[string]string{
			"POLAR_ACCESS_TOKEN": polarToken, "POLAR_ANONYMIZE": "true", "POLAR_RATE_LIMIT": "0",
			"POLAR_TIMEOUT":                "12s", // the longest: a machine that stands still repeats no request
			"MAX_DELETIONS_PER_HOUR":       "0",   // as many as there are customers; guards_test.go sets it
			"CLERK_WEBHOOK_SIGNING_SECRET": clerkKey, "AUTH0_WEBHOOK_TOKEN": auth0Token,
			"AUTH0_LOGS_TOKEN": logsToken, "AUTH0_LOGS_UNCONFIRMED": "true",
			"DATABASE_URL": database, "LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0",
		},
	}
	env.settings["POLAR_BASE_URL"] = env.polar.URL().String()
	env.set(settings...)
	return env
}

// set changes settings, NAME=VALUE.
func (env *environment) set(settings ...string) {
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		env.settings[name] = value
	}
}

// process is one run of the binary.
type process struct {
	command   *exec.Cmd
	webhooks  string
	operator  string
	exited    chan struct{}
	exitError error

	mutex sync.Mutex
	log   bytes.Buffer
}

// start runs serve and returns when it is ready.
func (env *environment) start(t *testing.T) *process {
	t.Helper()
	return env.startBinary(t, os.Getenv(binaryVariable))
}

// startBinary is start with another build of the program.
func (env *environment) startBinary(t *testing.T, binary string) *process {
	t.Helper()
	for {
		began := time.Now()
		p := env.launchBinary(t, binary, "serve")
		t.Cleanup(p.kill)
		if p.webhooks == "" && stoodStill(began, time.Now()) > 0 {
			continue // who supervises it starts it again
		}
		require.NotEmpty(t, p.webhooks, p.output())
		return p
	}
}

// launch starts the binary and waits for its ready line or its exit.
func (env *environment) launch(t *testing.T, args ...string) *process {
	t.Helper()
	return env.launchBinary(t, os.Getenv(binaryVariable), args...)
}

func (env *environment) launchBinary(t *testing.T, binary string, args ...string) *process {
	t.Helper()
	// Its end is the test's: a context would end before the test's last words.
	p := &process{command: env.prepare(t, exec.Command(binary, args...)), exited: make(chan struct{})}
	output, err := p.command.StdoutPipe()
	require.NoError(t, err)
	p.command.Stderr = p.command.Stdout
	require.NoError(t, p.command.Start())
	t.Cleanup(func() { p.noSecrets(t) }) // whatever the test was about
	ready := make(chan struct{})
	go p.read(output, ready)
	select {
	case <-ready:
	case <-p.exited:
	case <-time.After(patience):
		p.kill()
		require.FailNow(t, "never ready", p.output())
	}
	return p
}

func (p *process) read(output io.Reader, ready chan struct{}) {
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mutex.Lock()
		p.log.Write(lines.Bytes())
		p.log.WriteByte('\n')
		p.mutex.Unlock()
		var line struct {
			Message string `json:"msg"`
			Listen  string `json:"listen_addr"`
			Admin   string `json:"admin_addr"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "ready" {
			p.webhooks, p.operator = "http://"+line.Listen, "http://"+line.Admin
			close(ready)
		}
	}
	p.exitError = p.command.Wait()
	close(p.exited)
}

func (p *process) output() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.log.String()
}

// String is the output at the time when a check that has the process among its arguments
// gives up.
func (p *process) String() string { return p.output() }

// says waits until the log holds the text: a line is written a moment after what
// it tells of.
func (p *process) says(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(p.output(), text) }, patience, 5*time.Millisecond, text)
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.command.Process.Signal(syscall.SIGKILL) // it may have ended already
	<-p.exited
}

// terminate asks the process to stop and returns its exit code.
func (p *process) terminate(t *testing.T) int {
	t.Helper()
	began := time.Now()
	require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.kill()
	}
	require.Less(t, ran(began), 25*time.Second, "did not stop\n%s", p)
	return p.command.ProcessState.ExitCode()
}

// delivery is a signed webhook that can be posted again and again.
type delivery struct {
	provider string
	header   http.Header
	body     []byte
}

func sign(t testing.TB, route, eventID, externalID string) delivery {
	t.Helper()
	entry, ok := everyProvider().Lookup(route)
	require.True(t, ok)
	secret := map[string]string{"clerk": clerkKey, "auth0": auth0Token, "auth0-logs": logsToken}[route]
	header, body, err := entry.Sample(secret, provider.Sample{ExternalID: externalID, EventID: eventID, Time: time.Now()})
	require.NoError(t, err)
	return delivery{route, header, body}
}

// post sends as a provider does, until it is answered, but gives up when that is not for
// the machine's sake. It returns the status, or 0 when the process did not answer.
func (p *process) post(ctx context.Context, client *http.Client, d delivery) (int, string) {
	status, text, again := p.send(ctx, client, d)
	if again {
		return stored(status, text)
	}
	return status, text
}

// send is post, and says whether it has sent more than once.
func (p *process) send(ctx context.Context, client *http.Client, d delivery) (status int, text string, again bool) {
	for ; ; again = true {
		sent := time.Now()
		status, text = p.postOnce(ctx, client, d)
		if status != 0 && status != http.StatusServiceUnavailable || stoodStill(sent, time.Now()) == 0 || ctx.Err() != nil {
			return status, text, again
		}
	}
}

// stored is what a delivery comes to whose repeat is answered so: what was stored while the
// machine stood still, the sender hears only then.
func stored(status int, text string) (int, string) {
	if status != http.StatusOK || !strings.Contains(text, `"status":"duplicate"`) {
		return status, text
	}
	return http.StatusAccepted, strings.NewReplacer(`"duplicate"`, `"accepted"`, `"accepted":`, `"duplicates":`, `"duplicates":`, `"accepted":`).Replace(text)
}

func (p *process) postOnce(ctx context.Context, client *http.Client, d delivery) (int, string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.webhooks+"/webhooks/"+d.provider, bytes.NewReader(d.body))
	if err != nil {
		return 0, err.Error()
	}
	request.Header = d.header.Clone()
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// deliver posts and requires the status.
func (p *process) deliver(t *testing.T, d delivery, status int) string {
	t.Helper()
	got, text, again := p.send(t.Context(), http.DefaultClient, d)
	if again && status == http.StatusAccepted {
		got, text = stored(got, text)
	}
	require.Equal(t, status, got, text)
	return text
}

// metric returns the value of the series with exactly this text.
func (p *process) metric(t *testing.T, series string) float64 {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.operator+"/metrics", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	for line := range strings.SplitSeq(string(text), "\n") {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			number, err := strconv.ParseFloat(value, 64)
			require.NoError(t, err)
			return number
		}
	}
	require.FailNow(t, "no series", series)
	return 0
}

// waitMetric waits until the series has the value.
func (p *process) waitMetric(t *testing.T, series string, want float64, within time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool { return p.metric(t, series) == want }, max(within, patience), 50*time.Millisecond, "%s is not %v\n%s", series, want, p)
}

// noSecrets is asked of everything that a process said.
func (p *process) noSecrets(t *testing.T) {
	t.Helper()
	for _, secret := range []string{"marker", clerkKey[len("whsec_"):]} {
		require.NotContains(t, p.output(), secret)
	}
}
