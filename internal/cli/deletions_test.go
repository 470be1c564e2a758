package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/cli"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

func TestInBulkAPersonIsAskedOnATerminal(t *testing.T) {
	t.Parallel()
	url := databasetest.SQLite(t)
	db := databasetest.OpenMigrated(t, url)
	_, err := db.Main.ExecContext(t.Context(), `INSERT INTO polar_bridge_deletions (idempotency_key, provider, event_id, dry_run, variant, source, instance, user_id, external_id, unusable_id,
		occurred_at, received_at, state, hold_reason, held_at)
		VALUES ('key', 'clerk', 'evt_1', FALSE, '', 'webhook', '', 'user_1', 'user_1', '', 1, 1, 'held', 'team', 1)`)
	require.NoError(t, err)
	approve := func(answer string) output {
		var stdout, stderr bytes.Buffer
		code := cli.Run(t.Context(), cli.Env{
			Args: []string{"deletions", "approve", "--all"}, ReadFile: os.ReadFile, Stdin: strings.NewReader(answer),
			Getenv: func(name string) string { return map[string]string{"DATABASE_URL": url, "SUDO_USER": "alice"}[name] },
			Stdout: &stdout, Stderr: &stderr,
		})
		return output{code, stdout.String(), stderr.String()}
	}
	for _, answer := range []string{"", "\n", "y\n", "no\n", "yess\n", "nyes\n"} {
		got := approve(answer)
		require.Equal(t, 1, got.code, "%q", answer)
		require.Empty(t, got.stdout)
		require.Contains(t, got.stderr, "Approve 1 deletion; their customers will be deleted at Polar for good? Type yes: ")
		require.Contains(t, got.stderr, "nothing was done")
	}
	got := approve("yes\n")
	require.Zero(t, got.code, got.stderr)
	require.Equal(t, "1 deletion approved\n", got.stdout)
	require.Contains(t, got.stderr, `"by":"cli:alice"`)
}

func TestWhatCannotBeUndoneIsAskedOnATerminal(t *testing.T) {
	t.Parallel()
	for question, args := range map[string][]string{
		"Approve 1 deletion; ": {"approve", "1"},
		"Cancel 1 deletion; ":  {"cancel", "1", "--because", "why"},
		"Redo 1 deletion; ":    {"redo", "1", "--because", "why"},
		"Take everything personal out of the records of \"user_1\"": {"forget", "--external-id", "user_1"},
	} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			url := databasetest.SQLite(t)
			require.NoError(t, databasetest.OpenMigrated(t, url).Close())
			answer := func(answer string, more ...string) string {
				var stderr bytes.Buffer
				require.Equal(t, 1, cli.Run(t.Context(), cli.Env{
					Args: slices.Concat([]string{"deletions"}, args, more), ReadFile: os.ReadFile, Stdin: strings.NewReader(answer),
					Getenv: func(name string) string { return map[string]string{"DATABASE_URL": url}[name] },
					Stdout: &bytes.Buffer{}, Stderr: &stderr,
				}))
				return stderr.String()
			}
			require.Contains(t, answer("no\n"), question)
			require.Contains(t, answer("no\n"), "nothing was done")
			require.Contains(t, answer("yes\n"), "there is no ", "it goes on")
			require.NotContains(t, answer("", "--yes"), question)
		})
	}
}

func TestAListIsWatchedUntilSomebodyHasSeenEnough(t *testing.T) {
	t.Parallel()
	url := databasetest.SQLite(t)
	require.NoError(t, databasetest.OpenMigrated(t, url).Close())
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr bytes.Buffer
	code := cli.Run(ctx, cli.Env{
		Args: []string{"deletions", "list", "--watch"}, ReadFile: os.ReadFile,
		Getenv: func(name string) string { return map[string]string{"DATABASE_URL": url}[name] },
		Stdout: writerFunc(func(p []byte) (int, error) {
			if stdout.Write(p); strings.Count(stdout.String(), "No deletions.") == 2 {
				cancel()
			}
			return len(p), nil
		}), Stderr: &stderr,
	})
	require.Zero(t, code, stderr.String())
	require.Equal(t, "No deletions.\n\nNo deletions.\n", stdout.String())
}

// writerFunc is somebody who reads.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// readerFunc is somebody who does something before they answer.
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestWhatIsHeldWhileSomebodyReadsTheQuestion(t *testing.T) {
	t.Parallel()
	const hold = `INSERT INTO polar_bridge_deletions (idempotency_key, provider, event_id, dry_run, variant, source, instance, user_id, external_id, unusable_id,
		occurred_at, received_at, state, hold_reason, held_at)
		SELECT $1 || value, 'clerk', $1 || value, FALSE, '', 'webhook', '', 'user_' || $1 || value, 'user_' || $1 || value, '', 1, 1, 'held', 'mass_deletion', 1
		FROM json_each('[1,2,3]')`
	for _, choice := range []string{"--all", "--reason=mass_deletion"} {
		t.Run("is not approved by "+choice, func(t *testing.T) {
			t.Parallel()
			url := databasetest.SQLite(t)
			db := databasetest.OpenMigrated(t, url)
			_, err := db.Main.ExecContext(t.Context(), hold, "before")
			require.NoError(t, err)
			var stdout, stderr bytes.Buffer
			answer := strings.NewReader("yes\n")
			code := cli.Run(t.Context(), cli.Env{
				Args: []string{"deletions", "approve", choice}, ReadFile: os.ReadFile,
				Getenv: func(name string) string { return map[string]string{"DATABASE_URL": url}[name] },
				Stdin: readerFunc(func(p []byte) (int, error) {
					if answer.Len() == answerLength {
						if _, err := db.Main.ExecContext(t.Context(), hold, "after"); err != nil {
							return 0, err
						}
					}
					return answer.Read(p)
				}),
				Stdout: &stdout, Stderr: &stderr,
			})
			require.Zero(t, code, stderr.String())
			require.Contains(t, stderr.String(), "Approve 3 deletions;")
			require.Equal(t, "3 deletions approved\n", stdout.String())
			var held int
			require.NoError(t, db.Main.QueryRowContext(t.Context(), "SELECT count(*) FROM polar_bridge_deletions WHERE state = 'held' AND event_id LIKE 'after%'").Scan(&held))
			require.Equal(t, 3, held)
		})
	}
}

// answerLength is the length of "yes" and a line break.
const answerLength = 4

func TestSinceIsADurationADateOrATime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"90m": "2026-11-24T10:30:00Z", "72h": "2026-11-21T12:00:00Z", "30d": "2026-10-25T12:00:00Z", "0s": "2026-11-24T12:00:00Z",
		"2026-11-01": "2026-11-01T00:00:00Z", "2026-11-01T12:00:00Z": "2026-11-01T12:00:00Z", "2026-11-01T12:00:00+02:00": "2026-11-01T10:00:00Z",
	} {
		got, err := cli.Since(text, now)
		require.NoError(t, err, text)
		require.Equal(t, want, got.UTC().Format(time.RFC3339), text)
	}
	for _, text := range []string{"", "yesterday", "-1h", "-3d", "1.5d", "99999999d", "2026-13-01", "now"} {
		_, err := cli.Since(text, now)
		require.Error(t, err, text)
	}
}

func TestACellIsNeverAFormula(t *testing.T) {
	t.Parallel()
	for _, first := range "=+-@\t\r\n" {
		require.Equal(t, fmt.Sprintf("'%cx", first), cli.Harmless(fmt.Sprintf("%cx", first)))
	}
	for _, fine := range []string{"", "user_1", "auth0|-1", "1=1", "é=1"} {
		require.Equal(t, fine, cli.Harmless(fine))
	}
}
