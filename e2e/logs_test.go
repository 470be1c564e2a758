package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// freeAddress is an address on which nobody listens, nor will by chance.
func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := databasetest.FreePort()
	require.NoError(t, err)
	return fmt.Sprint("127.0.0.1:", port)
}

// startUnread runs serve with its output in a pipe of which nobody reads.
func (env *environment) startUnread(t *testing.T) (*process, *os.File) {
	t.Helper()
	listen, admin := freeAddress(t), freeAddress(t)
	env.settings["LISTEN_ADDR"], env.settings["ADMIN_ADDR"] = listen, admin
	p := &process{
		command: env.prepare(t, exec.Command(os.Getenv(binaryVariable), "serve")), exited: make(chan struct{}),
		webhooks: "http://" + listen, operator: "http://" + admin,
	}
	output, written, err := os.Pipe()
	require.NoError(t, err)
	p.command.Stdout, p.command.Stderr = written, written
	require.NoError(t, p.command.Start())
	require.NoError(t, written.Close())
	go func() {
		p.exitError = p.command.Wait()
		close(p.exited)
	}()
	t.Cleanup(p.kill)
	require.Eventually(t, func() bool {
		response, err := http.Get(p.operator + "/readyz")
		if err != nil {
			return false
		}
		return response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}, patience, 50*time.Millisecond)
	return p, output
}

// storm posts n deletions of customers that do not exist, and as many forged
// ones, eight at a time.
func (p *process) storm(t *testing.T, n int) {
	t.Helper()
	events := make(chan delivery, 2*n)
	for i := range n {
		events <- sign(t, "clerk", fmt.Sprint("msg_", i), fmt.Sprint("user_nobody_", strings.Repeat("x", 400), i))
		events <- signedWith(t, "whsec_Zm9yZ2VkLWZvcmdlZC1mb3JnZWQtZm9yZ2Vk")
	}
	close(events)
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for d := range events {
				if status, text := p.post(t.Context(), client, d); status != http.StatusAccepted && status != http.StatusUnauthorized {
					t.Errorf("%d %s", status, text)
				}
			}
		})
	}
	senders.Wait()
}

func TestALogThatNobodyReads(t *testing.T) { //nolint:tparallel // its steps come one after the other
	t.Parallel()
	const events = 3000 // two lines each, far more than the pipe and the buffer hold
	env := newEnvironment(t, databasetest.SQLite(t), "LOG_LEVEL=debug")
	p, output := env.startUnread(t)

	t.Run("keeps no webhook and no deletion waiting", func(t *testing.T) { //nolint:paralleltest // one step after the other
		p.storm(t, events)
		p.waitMetric(t, `polar_bridge_deletions_total{outcome="not_found",provider="clerk"}`, events, time.Minute)
		require.Positive(t, p.metric(t, `polar_bridge_log_lines_dropped_total`))
		memory, err := p.residentMemory()
		require.NoError(t, err)
		require.Less(t, memory, mostMemory)
	})
	t.Run("says how many lines are missing as soon as somebody reads", func(t *testing.T) { //nolint:paralleltest // one step after the other
		dropped := p.metric(t, `polar_bridge_log_lines_dropped_total`)
		lines := bufio.NewScanner(output)
		lines.Buffer(nil, 1<<20)
		var said float64
		for said < dropped && lines.Scan() {
			var line struct {
				Message string  `json:"msg"`
				Level   string  `json:"level"`
				Lines   float64 `json:"lines"`
			}
			require.NoError(t, json.Unmarshal(lines.Bytes(), &line), lines.Text())
			if line.Message == "log lines dropped" {
				require.Equal(t, "warn", line.Level)
				said += line.Lines
			}
		}
		require.InDelta(t, dropped, said, 0)
	})
	t.Run("does not keep it from stopping", func(t *testing.T) { //nolint:paralleltest // one step after the other
		p.deliver(t, sign(t, "clerk", "msg_more", "user_more"), http.StatusAccepted)
		p.waitMetric(t, `polar_bridge_deletions_total{outcome="not_found",provider="clerk"}`, events+1, time.Minute)
		for range 400 { // the pipe is full again
			p.deliver(t, auth0Delivery("Bearer "+auth0Token, `{"type":"user.created","id":"`+strings.Repeat("x", 400)+`"}`), http.StatusOK)
		}
		began := time.Now()
		require.Zero(t, p.terminate(t))
		require.Less(t, ran(began), 15*time.Second)
	})
}

func TestALogWhoseReaderIsGone(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	env.addCustomers(1)
	p, output := env.startUnread(t)
	require.NoError(t, output.Close())
	p.deliver(t, sign(t, "clerk", "msg_0", "user_0000"), http.StatusAccepted)
	env.waitDeleted(t, []string{"user_0000"}, 20*time.Second)
	p.waitMetric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`, 1, 20*time.Second)
	require.Positive(t, p.metric(t, `polar_bridge_log_lines_dropped_total`))
	require.Zero(t, p.terminate(t))
}

func TestAStartThatFailsWhileNobodyReads(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t), "LISTEN_ADDR=256.0.0.1:1")
	command := env.command(t, "serve")
	output, written, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, fillPipe(written))
	command.Stdout, command.Stderr = written, written
	require.NoError(t, command.Start())
	timer := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
	require.Error(t, command.Wait())
	require.True(t, timer.Stop(), "it had to be killed")
	require.Equal(t, 1, command.ProcessState.ExitCode())
	require.NoError(t, written.Close())
	_, err = io.Copy(io.Discard, output)
	require.NoError(t, err)
}

// fillPipe writes into a pipe until it is full, and leaves it as programs usually
// find it: whoever writes waits.
func fillPipe(pipe *os.File) error {
	connection, err := pipe.SyscallConn()
	if err != nil {
		return err
	}
	return connection.Control(func(fd uintptr) {
		for piece := []byte(strings.Repeat("x", 4096)); err == nil; {
			_, err = syscall.Write(int(fd), piece)
		}
		_ = syscall.SetNonblock(int(fd), false) // it cannot fail for an open pipe
	})
}
