package internal_test

import (
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const architecture = "../docs/architecture.md"

// TestPicture fails when the picture in docs/architecture.md is not what the
// imports are.
func TestPicture(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(architecture)
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```mermaid\n.*?```\n")
	require.Len(t, block.FindAll(page, -1), 1)
	want := block.ReplaceAllLiteralString(string(page), picture(readImports(t, "..")))
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(architecture, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(page), "docs/architecture.md is out of date: UPDATE=1 go test ./internal -run Picture")
}

// picture draws the program's packages. An arrow that only shortens a longer way
// is left out, and so are test kits and what is not part of the server.
func picture(imports map[string][]string) string {
	for folder := range imports {
		if isTestKit(folder) || regexp.MustCompile(`^(e2e|bench|scripts)(/|$)`).MatchString(folder) {
			delete(imports, folder)
		}
	}
	var b strings.Builder
	b.WriteString("```mermaid\ngraph TD\n")
	for _, folder := range slices.Sorted(maps.Keys(imports)) {
		if id := node(folder); strings.Contains(folder, "/") && id != path.Base(folder) {
			b.WriteString("  " + id + "[" + strings.ReplaceAll(id, "_", "/") + "]\n")
		}
		direct := slices.Compact(slices.Sorted(slices.Values(imports[folder])))
		for _, to := range direct {
			shortcut := slices.ContainsFunc(direct, func(via string) bool { return via != to && reaches(imports, via, to) })
			if _, drawn := imports[to]; drawn && !shortcut {
				b.WriteString("  " + node(folder) + " --> " + node(to) + "\n")
			}
		}
	}
	b.WriteString("```\n")
	return b.String()
}

func reaches(imports map[string][]string, from, to string) bool {
	return slices.ContainsFunc(imports[from], func(via string) bool { return via == to || reaches(imports, via, to) })
}

// node is how the picture calls a package: without the folder that says nothing.
func node(folder string) string {
	if folder == "." {
		return "main"
	}
	return strings.ReplaceAll(strings.TrimPrefix(folder, "internal/"), "/", "_")
}

// TestArchitectureNamesFilesThatExist keeps the page's walk true.
func TestArchitectureNamesFilesThatExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(architecture)
	require.NoError(t, err)
	named := regexp.MustCompile("`([a-z0-9_/]+\\.(?:go|sql|yaml))`").FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(named), 20)
	for _, name := range named {
		require.FileExists(t, path.Join("..", name[1]), "named in docs/architecture.md")
	}
}
