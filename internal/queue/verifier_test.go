package queue_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// look is what a scripted verification comes to.
type look struct {
	found    event.Verification
	seen     deletion.Observed
	decision deletion.Decision
}

// verifier is a scripted lookup after a deletion that remembers its attempts.
type verifier struct {
	verify func(a event.Attempt, tries int) look

	mutex    sync.Mutex
	attempts []event.Attempt
}

func (v *verifier) Verify(_ context.Context, a event.Attempt, tries int) (event.Verification, deletion.Observed, deletion.Decision) {
	v.mutex.Lock()
	v.attempts = append(v.attempts, a)
	v.mutex.Unlock()
	l := v.verify(a, tries)
	return l.found, l.seen, l.decision
}

func (v *verifier) seen() []event.Attempt {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return append([]event.Attempt(nil), v.attempts...)
}

func (v *verifier) wait(t *testing.T, n int) []event.Attempt {
	t.Helper()
	require.Eventually(t, func() bool { return len(v.seen()) >= n }, 30*time.Second, 10*time.Millisecond)
	return v.seen()
}

func gone(event.Attempt, int) look {
	return look{found: event.VerificationGone, seen: deletion.Observed{PolarStatus: 404}}
}

func verifying(v *verifier, after time.Duration) func(*queue.Options) {
	return func(o *queue.Options) { o.Verifier, o.VerifyAfter = v, after }
}
