//go:build fixture

package e2e_test

import (
	"compress/gzip"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// TestWriteFixture writes databases for a release that is about to be made.
func TestWriteFixture(t *testing.T) {
	t.Parallel()
	target := os.Getenv("POLAR_BRIDGE_WRITE_FIXTURE")
	require.NotEmpty(t, target, "POLAR_BRIDGE_WRITE_FIXTURE names the folder to write to")
	for _, s := range stores() {
		s.write(t, filepath.Join(target, s.fixture))
	}
}

func (s store) write(t *testing.T, target string) {
	t.Helper()
	// The verification is due when the fixture is read, and not before it is written.
	env := newEnvironment(t, s.empty(t), "POLAR_CONCURRENCY=1", "VERIFY_AFTER=30s")
	for _, eventID := range []string{eventDone, eventCancelled} {
		env.polar.AddCustomer(polartest.Customer{ExternalID: customerOf(eventID), CreatedAt: longAgo()})
	}
	p := env.start(t)
	for _, eventID := range []string{eventDone, eventNotFound, eventHeld} {
		p.deliver(t, fixtureEvent(t, eventID), http.StatusAccepted)
	}
	p.waitMetric(t, `polar_bridge_deletions_total{outcome="not_found",provider="clerk"}`, 1, 20*time.Second)
	p.waitMetric(t, `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`, 1, 20*time.Second)
	env.polar.SetFault(polartest.Gateway(http.StatusServiceUnavailable))
	p.deliver(t, fixtureEvent(t, eventRetried), http.StatusAccepted)
	env.waitForCalls(t, 5)
	// With Polar stopped in the middle of a call nobody touches what comes next.
	env.polar.SetFault(polartest.Hang())
	for _, eventID := range []string{eventWaiting, eventCancelled} {
		p.deliver(t, fixtureEvent(t, eventID), http.StatusAccepted)
	}
	require.Zero(t, p.terminate(t))
	id := strconv.FormatInt(env.deletion(t, customerOf(eventCancelled), "waiting").ID, 10)
	env.bridge(t, 0, "deletions", "cancel", id, "--because", "the account was restored")
	require.Equal(t, settled(), s.states(t, env.database))
	pack(t, s.save(t, env.database), target)
}

func pack(t *testing.T, content []byte, target string) {
	t.Helper()
	file, err := os.Create(target)
	require.NoError(t, err)
	packed, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	require.NoError(t, err)
	_, err = packed.Write(content)
	require.NoError(t, err)
	require.NoError(t, packed.Close())
	require.NoError(t, file.Close())
}
