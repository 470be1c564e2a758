package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/cli"
)

// TestTheDocumentsNameCommandsThatExist reads every command of the documents against
// the program's own grammar: whole ones of code blocks, parts of them in a sentence.
func TestTheDocumentsNameCommandsThatExist(t *testing.T) {
	t.Parallel()
	pages := []string{"../../README.md", "../../helm/README.md"}
	for _, pattern := range []string{"../../docs/*.md", "../../docs/providers/*.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		pages = append(pages, found...)
	}
	count := map[string]int{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		blocks, sentences := splitPage(string(text))
		for _, line := range commandLines(blocks) {
			count[filepath.Base(page)]++
			require.NoError(t, cli.Parse(commandWords(line), false), "%s: polar-bridge %s", page, line)
		}
		for _, part := range commandParts(sentences) {
			count[filepath.Base(page)]++
			require.NoError(t, cli.Parse(commandWords(part), true), "%s: polar-bridge %s", page, part)
		}
	}
	for page, least := range map[string]int{"README.md": 7, "runbook.md": 60, "operations.md": 20, "guards.md": 1, "erasure.md": 8} {
		require.GreaterOrEqual(t, count[page], least, "commands found in %s", page)
	}
}

// kubectl logs shows ten lines of each pod when it is given a label.
func TestTheRunbookReadsWholeLogs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(runbook)
	require.NoError(t, err)
	commands := regexp.MustCompile(`kubectl .*logs -l .*`).FindAllString(string(text), -1)
	require.NotEmpty(t, commands)
	for _, command := range commands {
		require.Contains(t, command, " --tail=-1 --prefix ")
	}
	require.NotContains(t, string(text), "grep -v", "it takes away the lines of refused webhooks, which are at info")
}

// splitPage tells the code blocks of a page from its sentences.
func splitPage(text string) (blocks, sentences string) {
	fence := regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	return strings.Join(fence.FindAllString(text, -1), "\n"), fence.ReplaceAllString(text, "")
}

// commandLines returns what follows the program's name on the lines that run it.
func commandLines(blocks string) (lines []string) {
	blocks = strings.ReplaceAll(blocks, "\\\n", " ")
	start := regexp.MustCompile(`(?m)^ *(?:\$ )?(?:[A-Z_]+=\S+ +)*(?:polar-bridge|go run \.|\./polar-bridge|(?:kubectl|docker) .* /polar-bridge)((?: +\S.*)?)$`)
	for _, line := range start.FindAllStringSubmatch(blocks, -1) {
		lines = append(lines, line[1])
	}
	return lines
}

// commandParts returns what is set as code within sentences and begins with the
// program's name or a command's, without the program's name.
func commandParts(sentences string) (parts []string) {
	for _, code := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(sentences, -1) {
		part := strings.Join(strings.Fields(code[1]), " ")
		if named := regexp.MustCompile(`(?:^|/)polar-bridge (.*)$`).FindStringSubmatch(part); named != nil && !strings.Contains(part, "${") {
			parts = append(parts, named[1])
			continue
		}
		if regexp.MustCompile(`^(deletions [a-z]|(reconcile|doctor|selftest|send|backup) --|outbox (sql|check|remove|install))`).MatchString(part) {
			parts = append(parts, part)
		}
		// "…" in place of the words before is refused: nobody can copy it.
		if regexp.MustCompile(`^(…|list|show|stats|request|retry|approve|cancel|acknowledge|redo|pause|resume|export|forget) \S`).MatchString(part) {
			parts = append(parts, "deletions "+part)
		}
	}
	return parts
}

// commandWords splits a command as a shell does, ends it where the shell's own part
// begins, and puts values in the places of those that people have to fill in.
func commandWords(line string) (words []string) {
	line = regexp.MustCompile(`"?\$\([^)]*\)"?`).ReplaceAllString(line, "30d")
	for _, word := range regexp.MustCompile(`(?:[^\s"']|"[^"]*"|'[^']*')+`).FindAllString(line, -1) {
		if regexp.MustCompile(`^([#|>;&]|2>)`).MatchString(word) {
			break
		}
		word = strings.NewReplacer(`"`, "", `'`, "").Replace(strings.TrimSuffix(word, "..."))
		if filled, ok := map[string]string{"ID": "1", "WHEN": "30d", "REASON": "team", "OUTCOME": "deleted"}[word]; ok {
			word = filled
		}
		words = append(words, word)
	}
	return words
}
