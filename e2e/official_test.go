package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// Secrets of official/report.mjs. The first is that of the published vectors.
const (
	officialSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	officialText   = "workos-secret-of-the-suites-0123456789"
)

// officialCase is a delivery as an official library built it, and what the
// official verifier says.
type officialCase struct {
	Suite    string      `json:"suite"`
	Name     string      `json:"name"`
	Route    string      `json:"route"`
	Accepted bool        `json:"accepted"`
	Headers  [][2]string `json:"headers"`
	Body     []byte      `json:"body"`
}

// What the senders' own libraries accept, this program accepts, and nothing else,
// but for what officialExceptions lists.
func TestOfficialSuites(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t),
		"CLERK_WEBHOOK_SIGNING_SECRET="+officialSecret,
		"STANDARD_WEBHOOK_SECRET="+officialSecret, "WORKOS_WEBHOOK_SECRET="+officialText)
	p := env.start(t)
	exceptions := officialExceptions()
	suites := map[string]int{}
	var differs []string
	runOfficial(t, func(c officialCase) {
		suites[c.Suite]++
		header := http.Header{}
		for _, pair := range c.Headers {
			header[pair[0]] = append(header[pair[0]], pair[1]) // as it is written
		}
		status, answer := p.post(t.Context(), http.DefaultClient, delivery{c.Route, header, c.Body})
		require.Contains(t, []int{200, 202, 400, 401}, status, "%s: %s: %s", c.Suite, c.Name, answer)
		which := c.Suite + ": " + c.Name
		_, excepted := exceptions[which]
		if excepted != (c.Accepted != (status < http.StatusBadRequest)) {
			differs = append(differs, fmt.Sprintf("%s (accepted: %t, here: %d, an exception: %t)", which, c.Accepted, status, excepted))
		}
		delete(exceptions, which)
	})
	require.Empty(t, differs)
	require.Empty(t, exceptions, "these are no longer among the cases")
	require.Len(t, suites, 7)
	require.GreaterOrEqual(t, suites["svix"], 70, "the published tests of svix among them")
}

// runOfficial runs the suites on the Node that their lock file names.
func runOfficial(t *testing.T, send func(officialCase)) {
	t.Helper()
	require.DirExists(t, "official/node_modules", "the official libraries are not installed: run make official")
	command := exec.CommandContext(t.Context(), officialNode(t), "suites.mjs")
	command.Dir = "official"
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	reports, reporting, err := os.Pipe()
	require.NoError(t, err)
	going, ack, err := os.Pipe()
	require.NoError(t, err)
	command.ExtraFiles = []*os.File{reporting, going}
	require.NoError(t, command.Start())
	require.NoError(t, reporting.Close())
	require.NoError(t, going.Close())
	lines := bufio.NewScanner(reports)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c officialCase
		require.NoError(t, json.Unmarshal(lines.Bytes(), &c))
		send(c)
		_, err := ack.Write([]byte{0})
		require.NoError(t, err)
	}
	require.NoError(t, lines.Err())
	require.NoError(t, command.Wait(), output.String())
	require.Contains(t, output.String(), "skipped 0")
}

// officialNode is the Node of the lock file or, where that has none for this
// machine, the one that is installed.
func officialNode(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("official/node_modules/node-linux-*/bin/node")
	require.NoError(t, err)
	if len(found) == 0 {
		return "node"
	}
	path, err := filepath.Abs(found[0])
	require.NoError(t, err)
	return path
}
