package cli_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheDemoPrintsWhatREADMEShows(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	shown := regexp.MustCompile(`(?m)^(   WHAT HAPPENED|[1-9]  ).*$`).FindAllString(string(readme), -1)
	require.Len(t, shown, 6)
	printed := run(t, nil, "demo")
	require.Zero(t, printed.code, printed.stderr)
	table, _, _ := strings.Cut(printed.stdout, "Where an operator sees it")
	_, table, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		require.LessOrEqual(t, len(line), len("\n")+80, "it is broken on a terminal of 80 columns: %s", line)
	}
	for _, line := range shown {
		require.Contains(t, printed.stdout, "\n"+line)
	}
}
