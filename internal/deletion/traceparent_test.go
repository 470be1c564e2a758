package deletion_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// The first is the standard's own example.
func TestATraceparentIsTakenAsItIsOrNotAtAll(t *testing.T) {
	t.Parallel()
	const valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for name, text := range map[string]string{
		"nothing":              "",
		"too short":            valid[:54],
		"too long":             valid + "0",
		"a member more":        valid + "-00",
		"twice":                valid + "," + valid,
		"very long":            strings.Repeat(valid, 1000),
		"upper case":           strings.ToUpper(valid),
		"version ff":           "ff" + valid[2:],
		"a version of later":   "01" + valid[2:],
		"no hexadecimal":       strings.Replace(valid, "4bf9", "4bg9", 1),
		"another separator":    strings.Replace(valid, "-", "_", 2),
		"a dash in the id":     strings.Replace(valid, "4bf9", "4b-9", 1),
		"a digit for a dash":   valid[:35] + "0" + valid[36:],
		"no trace":             "00-" + strings.Repeat("0", 32) + valid[35:],
		"no parent":            valid[:36] + strings.Repeat("0", 16) + valid[52:],
		"a line break":         valid[:54] + "\n",
		"spaces":               " " + valid[:54],
		"a letter of two":      valid[:53] + "é",
		"a quote for a member": strings.Replace(valid, "4bf9", `4b"9`, 1),
	} {
		require.Empty(t, deletion.ParseTraceparent(text), name)
	}
	for _, flags := range []string{"00", "01", "03", "ff"} {
		text := valid[:53] + flags
		require.Equal(t, deletion.Traceparent(text), deletion.ParseTraceparent(text))
		require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", deletion.ParseTraceparent(text).TraceID())
	}
	require.Empty(t, deletion.Traceparent("").TraceID())
}
