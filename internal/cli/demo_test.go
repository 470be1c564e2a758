package cli_test

import (
	"os"
	"regexp"
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
	for _, line := range shown {
		require.Contains(t, printed.stdout, "\n"+line)
	}
}
