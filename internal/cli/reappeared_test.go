package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An operator who believes that acknowledging deletes the customer closes the
// case, and the customer stays.
func TestWhoeverSpeaksOfAcknowledgingSaysThatItDeletesNobody(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	texts := map[string]string{"acknowledge --help": run(t, settings(), "deletions", "acknowledge", "--help").stdout}
	for _, page := range append(pages, "../../README.md", "../../helm/README.md", "../../helm/rules/polar-bridge.yaml") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		texts[page] = string(text)
	}
	speaks := regexp.MustCompile(`(?s)deletions acknowledge|\x60acknowledge( ID)?\x60|Acknowledging`)
	says := regexp.MustCompile(`(deletes|[Nn]either\s+deletes|without\s+deleting)\s+(nobody|anybody)|[Nn]obody\s+is\s+deleted`)
	spoken := map[string]bool{}
	for name, text := range texts {
		for _, block := range blocks(text) {
			require.NotRegexp(t, "(?s)approv[^.;]*deletes (it|the customer|them) again", block, name)
			if usage := strings.HasPrefix(block, "Usage:"); speaks.MatchString(block) && !usage {
				require.Regexp(t, says, block, name)
				spoken[filepath.Base(name)] = true
			}
		}
	}
	for _, page := range []string{"acknowledge --help", "runbook.md", "operations.md", "guards.md"} {
		require.True(t, spoken[page], "%s says what acknowledging does", page)
	}
}

// blocks are the paragraphs of a page, and the lines of its tables and the items
// of its lists.
func blocks(text string) []string {
	return regexp.MustCompile(`\n\s*\n|\n(\||- )`).Split(strings.ReplaceAll(text, "\r", ""), -1)
}
