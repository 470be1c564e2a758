package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// genuine are the events that an identity provider sends meanwhile.
type genuine struct {
	done  chan struct{}
	sent  int
	worst time.Duration
	wrong []string
}

// keepSending posts genuine events, each over a new connection, until ctx ends.
func (p *process) keepSending(ctx context.Context, t *testing.T, name string) *genuine {
	t.Helper()
	const pace = 20 * time.Millisecond
	var events []delivery
	for i := range int(attackTime / pace) {
		id := fmt.Sprintf("%s_%d", strings.Map(letters, name), i)
		events = append(events, sign(t, "clerk", "msg_"+id, "user_"+id))
	}
	g := &genuine{done: make(chan struct{})}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		defer close(g.done)
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for _, event := range events {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			// From the connection on: of ten thousand at once the kernel drops some.
			var began time.Time
			connected := &httptrace.ClientTrace{ConnectDone: func(string, string, error) { began = time.Now() }}
			// The last one must not be broken off.
			if status, text := p.post(httptrace.WithClientTrace(context.WithoutCancel(ctx), connected), client, event); status != http.StatusAccepted {
				g.wrong = append(g.wrong, fmt.Sprintf("%d %s", status, text))
			}
			g.sent++
			g.worst = max(g.worst, ran(began))
		}
	}()
	return g
}

func letters(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r
	}
	return '_'
}

func (g *genuine) result(t *testing.T) (sent int, worst time.Duration) {
	t.Helper()
	<-g.done
	require.Empty(t, g.wrong)
	return g.sent, g.worst
}

// usage is the most that the process took.
type usage struct {
	done               chan struct{}
	memory, goroutines int
	err                error
}

func (p *process) watch(ctx context.Context) *usage {
	u := &usage{done: make(chan struct{})}
	go func() {
		defer close(u.done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			memory, err := p.residentMemory()
			if err != nil {
				u.err = err
				return
			}
			goroutines, err := p.goroutines(ctx)
			if err != nil && ctx.Err() == nil {
				u.err = err
				return
			}
			u.memory, u.goroutines = max(u.memory, memory), max(u.goroutines, goroutines)
		}
	}()
	return u
}

func (u *usage) result(t *testing.T) (memory, goroutines int) {
	t.Helper()
	<-u.done
	require.NoError(t, u.err)
	return u.memory, u.goroutines
}

// residentMemory is in kB.
func (p *process) residentMemory() (int, error) { return memoryOf(p.command.Process.Pid, "VmRSS") }

// memoryOf returns one of the kernel's figures for a process that runs, in kB.
func memoryOf(pid int, figure string) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		if value, ok := strings.CutPrefix(line, figure+":"); ok {
			return strconv.Atoi(strings.Fields(value)[0])
		}
	}
	return 0, errors.New("no " + figure)
}

func (p *process) goroutines(ctx context.Context) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.operator+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if value, ok := bytes.CutPrefix(lines.Bytes(), []byte("go_goroutines ")); ok {
			return strconv.Atoi(string(value))
		}
	}
	return 0, errors.Join(errors.New("no go_goroutines"), lines.Err())
}
