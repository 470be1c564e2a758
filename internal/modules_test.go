package internal_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheCLibraryIsExactlyTheOneThatSQLiteWasTranslatedWith(t *testing.T) {
	t.Parallel()
	// modernc.org/sqlite breaks with any other version of modernc.org/libc:
	// https://gitlab.com/cznic/sqlite/-/issues/177.
	asked, err := os.ReadFile(list(t, "{{.GoMod}}", "modernc.org/sqlite"))
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^\s*(?:require )?modernc\.org/libc (\S+)`).FindStringSubmatch(string(asked))
	require.NotNil(t, version)
	require.Equal(t, version[1], list(t, "{{.Version}}", "modernc.org/libc"))
}

// list asks the go command about a module.
func list(t *testing.T, format, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", format, module).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}
