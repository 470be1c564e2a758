//go:build image

package image_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // writes rows beside the container

	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// post delivers n deletions at once and returns what was answered.
func (c container) post(t *testing.T, route, secret, name string, n int) string {
	t.Helper()
	entry, ok := everyProvider().Lookup(route)
	require.True(t, ok)
	var header http.Header
	var lines [][]byte
	for i := range n {
		id := fmt.Sprint(name, "_", i)
		signed, line, err := entry.Sample(secret, provider.Sample{ExternalID: id, EventID: id, Time: time.Now()})
		require.NoError(t, err)
		header, lines = signed, append(lines, line)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.webhooks+"/webhooks/"+route, bytes.NewReader(bytes.Join(lines, []byte("\n"))))
	require.NoError(t, err)
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return fmt.Sprint(response.StatusCode, " ", string(text))
}

// SQLite writes what a large statement or a long sort needs to a temporary file.
func TestAContainerWithoutATemporaryFolderTakesBatchesAndCountsMany(t *testing.T) {
	t.Parallel()
	volume := newVolume(t)
	c := start(t, volume)
	c.polar.SetFault(polartest.Gateway(http.StatusServiceUnavailable)) // nothing leaves the table
	for i := range 500 {
		require.Contains(t, c.post(t, "clerk", clerkKey, fmt.Sprint("single_", i), 1), "202 ")
	}
	require.Contains(t, c.post(t, "auth0-logs", logsToken, "batch", 300), `"accepted":300`)
	var group sync.WaitGroup
	answers := make([]string, 64)
	for i := range answers {
		group.Go(func() { answers[i] = c.post(t, "clerk", clerkKey, fmt.Sprint("at_once_", i), 1) })
	}
	group.Wait()
	for _, answer := range answers {
		require.Contains(t, answer, "202 ")
	}
	said, _ := try(t, "exec", c.name, "/polar-bridge", "doctor") // it fails, because Polar does
	require.Regexp(t, "ok +database temporary files", said)

	const rows, sent = 200_000, 500 + 300 + 64
	file := filepath.Join(podman(t, "volume", "inspect", "--format={{.Mountpoint}}", volume), "polar-bridge.db")
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(30000)")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	_, err = db.ExecContext(t.Context(), `
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO polar_bridge_deletions (idempotency_key, provider, event_id, dry_run, variant, source, instance, user_id, external_id, unusable_id,
			occurred_at, received_at, state, next_try_at)
		SELECT 'filled ' || i, provider, event_id, dry_run, variant, source, instance, user_id, external_id, unusable_id,
			occurred_at, received_at, state, next_try_at
		FROM (SELECT * FROM polar_bridge_deletions WHERE state = 'waiting' LIMIT 1), n`, rows-sent)
	require.NoError(t, err)
	var stats struct{ Providers []struct{ Waiting int } }
	require.NoError(t, json.Unmarshal([]byte(podman(t, "exec", c.name, "/polar-bridge", "deletions", "stats", "--json")), &stats))
	all := 0
	for _, provider := range stats.Providers {
		all += provider.Waiting
	}
	require.Equal(t, rows, all)
}

func everyProvider() provider.Registry { return provider.All(provider.Options{Now: time.Now}) }
