package internal_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// TestWords keeps out the words that this project once had for things that the
// field calls otherwise: nobody can search for them.
func TestWords(t *testing.T) {
	t.Parallel()
	private := regexp.MustCompile(`(?i)\b(` + strings.Join([]string{
		"crowds?", "courtesy", "letpass", "census", "sightings?", "verdicts?", "notnow", "comeagain", "errimpatient", "mend(s|ing|ed)?", "anew",
		"resurrected", "impersonal", "desk", "restless", "dispensable", "occupant", "stayingtransport", "tracereach", "boundlog", "shortenlog",
		"emptylog", "database_whole",
	}, "|") + `)\b`)
	read := 0
	require.NoError(t, filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "node_modules"}, entry.Name()):
			return filepath.SkipDir
		case !slices.Contains([]string{".go", ".sql", ".md", ".yaml", ".tpl", ".txtar"}, filepath.Ext(file)),
			entry.Name() == "CHANGELOG.md", entry.Name() == "words_test.go":
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		read++
		for i, line := range strings.Split(string(text), "\n") {
			if word := private.FindString(line); word != "" {
				t.Errorf("%s:%d says %q: use the field's word", file, i+1, word)
			}
		}
		return nil
	}))
	require.Greater(t, read, 300, "the walk misses files")
}

// TestREADME keeps the first page one that is read to its end.
func TestREADME(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.LessOrEqual(t, len(lines), 110, "lines")
	for i, line := range lines {
		if !strings.HasPrefix(line, "|") { // a table's row cannot be broken
			require.LessOrEqual(t, utf8.RuneCountInString(line), 120, "README.md:%d", i+1)
		}
	}
}
