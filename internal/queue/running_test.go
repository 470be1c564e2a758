package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// run starts the queue and its loops; they stop with the test at the latest.
func (h *harness) run(t testing.TB) {
	t.Helper()
	require.NoError(t, h.Start(t.Context()))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	h.stopLoops = cancel
	for _, loop := range h.Loops() {
		h.loops.Go(func() { loop.Run(ctx) })
	}
	t.Cleanup(func() { h.stop(t) })
}

func (h *harness) stop(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) //nolint:usetesting // runs in cleanup too
	defer cancel()
	h.stopLoops()
	require.NoError(t, h.StopWork(ctx))
	h.loops.Wait()
	h.StopCommits()
}
