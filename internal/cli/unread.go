package cli

import (
	"io"
	"time"
)

// writeTimeout is how long a server waits for somebody to read what it says
// when it cannot start, or ends.
const writeTimeout = time.Second

// timedWriter gives up a write that nobody reads, so that a full pipe does not
// keep a server from ending.
type timedWriter struct{ out io.Writer }

// Write implements io.Writer. It does not fail: there is nobody to tell.
func (w timedWriter) Write(p []byte) (int, error) {
	text, done := append([]byte(nil), p...), make(chan struct{})
	go func() {
		defer close(done)
		_, _ = w.out.Write(text)
	}()
	enough := time.NewTimer(writeTimeout)
	defer enough.Stop()
	select {
	case <-done:
	case <-enough.C:
	}
	return len(p), nil
}
