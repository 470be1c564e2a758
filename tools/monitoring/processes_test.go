package monitoring_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is a program that runs until the test ends.
type process struct {
	exited chan struct{}

	mutex  sync.Mutex
	output bytes.Buffer
}

// start runs a program; line is told every line that it prints.
func start(t *testing.T, command *exec.Cmd, line func([]byte)) *process {
	t.Helper()
	p := &process{exited: make(chan struct{})}
	command.Dir = t.TempDir()
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	command.Stderr = command.Stdout
	require.NoError(t, command.Start())
	go func() {
		defer close(p.exited)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			p.mutex.Lock()
			p.output.Write(append(lines.Bytes(), '\n'))
			p.mutex.Unlock()
			line(lines.Bytes())
		}
		_ = command.Wait() // it is killed
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended already
		<-p.exited
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(command.Path), p.said())
		}
	})
	return p
}

func (p *process) said() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.output.String()
}

// tool finds a tool under any of its names; Debian has one of its own for Alertmanager.
func tool(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	require.FailNow(t, "no "+names[0], "run scripts/monitoring-test, which brings it along")
	return ""
}

// serve builds and starts the program and returns the addresses of its listeners.
func serve(t *testing.T, settings map[string]string) (webhooks, admin string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "polar-bridge")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	said, err := build.CombinedOutput()
	require.NoError(t, err, string(said))

	command := exec.Command(binary, "serve")
	for name, value := range settings {
		command.Env = append(command.Env, name+"="+value)
	}
	ready := make(chan struct{})
	p := start(t, command, func(text []byte) {
		var line struct {
			Message string `json:"msg"`
			Listen  string `json:"listen_addr"`
			Admin   string `json:"admin_addr"`
		}
		if json.Unmarshal(text, &line) == nil && line.Message == "ready" {
			webhooks, admin = line.Listen, line.Admin
			close(ready)
		}
	})
	select {
	case <-ready:
	case <-p.exited:
		require.FailNow(t, "did not start", p.said())
	case <-time.After(30 * time.Second):
		require.FailNow(t, "never ready", p.said())
	}
	return webhooks, admin
}

// address returns one on loopback that was free a moment ago.
func address(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close() //nolint:errcheck // it was only asked for its port
	return listener.Addr().String()
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// get returns the body of an answer with status 200, nil of any other.
func get(t *testing.T, address string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil
	}
	return body
}

// prometheus is a running Prometheus server.
type prometheus struct{ address string }

// query returns the values of an instant query, ok when it was answered.
func (p prometheus) query(t *testing.T, expression string) (found []float64, ok bool) {
	t.Helper()
	var answer struct {
		Status string `json:"status"`
		Data   struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	body := get(t, "http://"+p.address+"/api/v1/query?query="+url.QueryEscape(expression))
	if json.Unmarshal(body, &answer) != nil || answer.Status != "success" {
		return nil, false
	}
	for _, result := range answer.Data.Result {
		text, isText := result.Value[1].(string)
		require.True(t, isText)
		value, err := strconv.ParseFloat(text, 64)
		require.NoError(t, err)
		found = append(found, value)
	}
	return found, true
}

// becomes waits until the query has exactly this value.
func (p prometheus) becomes(t *testing.T, expression string, want float64) {
	t.Helper()
	var last []float64
	require.Eventually(t, func() bool {
		last, _ = p.query(t, expression)
		return len(last) == 1 && last[0] == want
	}, 30*time.Second, 200*time.Millisecond, "%s is %v, not %v", expression, last, want)
}
