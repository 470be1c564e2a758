package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one run of a candidate.
type process struct {
	command *exec.Cmd
	client  *http.Client
	ready   time.Duration // from the start to the first answer
}

// start runs the candidate and waits until it answers.
func (c *candidate) start(ctx context.Context, o options, polar string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(o.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()                                                                                                                 //nolint:errcheck // the child has its own
	p := &process{command: exec.CommandContext(ctx, c.command[0], c.command[1:]...), client: &http.Client{Timeout: 10 * time.Second}} //nolint:gosec // our own arguments
	p.command.Env = append([]string{"POLAR_BASE_URL=" + polar}, c.env...)
	p.command.Dir = c.dir
	p.command.Stdout, p.command.Stderr = log, log
	begin := time.Now()
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	for {
		if _, err := p.get(ctx, c.readyURL()); err == nil {
			p.ready = time.Since(begin)
			return p, nil
		}
		if time.Since(begin) > 20*time.Second {
			text, _ := os.ReadFile(log.Name())
			return nil, errors.Join(fmt.Errorf("never ready: %s", text), p.stop())
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return nil, errors.Join(err, p.stop())
		}
	}
}

// waitForCheck waits until the program has checked the whole SQLite file, which
// it does once after its start and then once a day, on a core of its own.
func (p *process) waitForCheck(ctx context.Context, metrics string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	for {
		body, _, err := p.read(ctx, metrics)
		if err != nil {
			return fmt.Errorf("wait for the check of the file: %w", err)
		}
		if strings.Contains(body, "\npolar_bridge_database_integrity_ok 1\n") {
			return nil
		}
		if err := pause(ctx, settle/4); err != nil {
			return fmt.Errorf("wait for the check of the file: %w", err)
		}
	}
}

// get returns how long a GET took that was answered without an error of the server's.
func (p *process) get(ctx context.Context, url string) (time.Duration, error) {
	_, took, err := p.read(ctx, url)
	return took, err
}

func (p *process) read(ctx context.Context, url string) (body string, took time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", 0, err
	}
	begin := time.Now()
	response, err := p.client.Do(request)
	if err != nil {
		return "", 0, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", 0, err
	}
	if response.StatusCode >= http.StatusInternalServerError {
		return "", 0, fmt.Errorf("%s: %s", url, response.Status)
	}
	return string(text), time.Since(begin), nil
}

func (p *process) stop() error {
	p.client.CloseIdleConnections()
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended already
	kill := time.AfterFunc(20*time.Second, func() { _ = p.command.Process.Kill() })
	defer kill.Stop()
	err := p.command.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil // Node ends with the signal
	}
	return err
}

// cpu returns the user and system time that the process has used.
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func (p *process) cpu() (time.Duration, error) {
	const tick = 10 * time.Millisecond // USER_HZ
	const utime, stime = 11, 12        // counted after the command's name
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, err := strconv.Atoi(fields[utime])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[stime])
	return time.Duration(user+system) * tick, err
}

// peakRSS returns the most memory that was resident at once, in bytes.
func (p *process) peakRSS() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	line, _, _ := strings.Cut(after, "kB")
	kilobytes, err := strconv.Atoi(strings.TrimSpace(line))
	return float64(kilobytes) * 1024, err
}
