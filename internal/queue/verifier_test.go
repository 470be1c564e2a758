package queue_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// look is what a scripted verification comes to.
type look struct {
	found    deletion.Verification
	seen     deletion.Observed
	decision deletion.Decision
}

// verifier is a scripted lookup after a deletion that remembers its attempts.
type verifier struct {
	verify func(a deletion.Attempt, tries int) look

	mutex    sync.Mutex
	attempts []deletion.Attempt
}

func (v *verifier) Verify(_ context.Context, a deletion.Attempt, tries int) (deletion.Verification, deletion.Observed, deletion.Decision) {
	v.mutex.Lock()
	v.attempts = append(v.attempts, a)
	v.mutex.Unlock()
	l := v.verify(a, tries)
	return l.found, l.seen, l.decision
}

func (v *verifier) seen() []deletion.Attempt {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return append([]deletion.Attempt(nil), v.attempts...)
}

func (v *verifier) wait(t *testing.T, n int) []deletion.Attempt {
	t.Helper()
	require.Eventually(t, func() bool { return len(v.seen()) >= n }, time.Minute, 10*time.Millisecond)
	return v.seen()
}

func gone(deletion.Attempt, int) look {
	return look{found: deletion.VerificationGone, seen: deletion.Observed{PolarStatus: 404}}
}

func verifying(v *verifier, after time.Duration) func(*queue.Options) {
	return func(o *queue.Options) { o.Verifier, o.VerifyAfter = v, after }
}
