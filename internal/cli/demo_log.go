package cli

import (
	"bytes"
	"context"
	"io"
	"sync"

	"github.com/go-json-experiment/json"
)

// logLines keeps the server's log, so that the demo can show what it says.
type logLines struct {
	mutex   sync.Mutex
	lines   [][]byte
	changed chan struct{}
	live    io.Writer
}

// Write implements io.Writer: one call is one line.
func (l *logLines) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.lines = append(l.lines, bytes.TrimSpace(bytes.Clone(line)))
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	if l.live != nil {
		return l.live.Write(line)
	}
	return len(line), nil
}

// follow writes all further lines to w as well.
func (l *logLines) follow(w io.Writer) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.live = w
}

// await returns the first line, from the given one on, in which all fields
// have these values, and the number of the line after it.
func (l *logLines) await(ctx context.Context, from int, fields map[string]string) (line string, next int, err error) {
	for {
		l.mutex.Lock()
		for ; from < len(l.lines); from++ {
			if matches(l.lines[from], fields) {
				line = string(l.lines[from])
				l.mutex.Unlock()
				return line, from + 1, nil
			}
		}
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mutex.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return "", from, ctx.Err()
		}
	}
}

func matches(line []byte, fields map[string]string) bool {
	var got map[string]any
	if json.Unmarshal(line, &got) != nil {
		return false
	}
	for name, want := range fields {
		if got[name] != want {
			return false
		}
	}
	return true
}
