package providertest

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// golden receives every request in the folder (<case>.http, as it is on the wire) and
// compares the result with <case>.golden.json. The arrival is the request's
// Date. Set UPDATE_GOLDEN=1 to write the results, then read the diff.
func (h *Harness) golden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(h.folder, "*.http"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".http")
		t.Run(spaced(name), func(t *testing.T) {
			t.Parallel()
			got := h.received(t, file)
			want := strings.TrimSuffix(file, ".http") + ".golden.json"
			if os.Getenv("UPDATE_GOLDEN") != "" {
				require.NoError(t, os.WriteFile(want, got, 0o600))
			}
			expected, err := os.ReadFile(want) //nolint:gosec // a test's own file
			require.NoError(t, err)
			require.Equal(t, string(expected), string(got))
		})
	}
}

func (h *Harness) received(t *testing.T, file string) []byte {
	t.Helper()
	header, body := ReadRequest(t, file)
	arrival, err := http.ParseTime(header.Get("Date"))
	require.NoError(t, err)
	p, err := h.open(func() time.Time { return arrival }, h.variant.GoldenSecrets, nil)
	require.NoError(t, err)

	var result any
	if result, err = p.Receive(header, body); err != nil {
		result = map[string]any{"kind": fault.KindOf(err), "reason": fault.ReasonOf(err)}
	}
	got, err := json.Marshal(result, json.Deterministic(true), jsontext.Multiline(true))
	require.NoError(t, err)
	return append(got, '\n')
}

// ReadRequest returns what is in a request file. It takes the body as it is:
// net/http would want a Content-Length.
func ReadRequest(t testing.TB, file string) (http.Header, []byte) {
	t.Helper()
	raw, err := os.ReadFile(file) //nolint:gosec // a test's own file
	require.NoError(t, err)
	head, body, ok := bytes.Cut(raw, []byte("\n\n"))
	require.True(t, ok, "an empty line ends the header")
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(head, "\n\n"...))))
	require.NoError(t, err)
	return r.Header, body
}
