// Package internal_test checks the architecture: which package may import which.
package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/polar-bridge/polar-bridge"

// rule says what of this module a package may import, its tests excepted. Bans on
// packages of others stand in .golangci.yml.
type rule struct {
	// Package is a folder. A * stands for one element of the path; of several
	// rules the first one counts.
	Package string
	// May names the folders that it may import, one word each. "X/..." is X and
	// all below it, and "..." is everything.
	May string
}

// rules has a row for every package. When it is in your way, change it in a commit
// of its own that says why. A test kit is for tests, which are not checked, and for
// the rows that name it.
func rules() []rule {
	return []rule{
		// The edge of the process.
		{".", "internal/cli"},
		{"internal/cli", "config internal/... polar polar/polartest"},
		{"internal/app", "config handlers internal/... metrics polar"},
		{"config", ""},
		{"internal/settings", "config internal/authdatabase internal/provider"},
		{"handlers", "internal/deletion internal/fault internal/tracing metrics"},
		{"internal/console", "internal/deletion internal/queue internal/queue/ops"},
		{"internal/notify", ""},
		{"internal/tracing", ""},
		{"metrics", "internal/deletion polar"},
		{"polar", ""},
		{"polar/polartest", ""},

		// What a deletion is, and what becomes of it.
		{"internal/fault", ""},
		{"internal/deletion", "polar"},
		{"internal/queue", "internal/database/namedsql internal/deletion internal/fault internal/ratelimit internal/tracing metrics"},
		{"internal/queue/ops", "internal/binding internal/database/namedsql internal/deletion internal/directory internal/queue polar"},
		{"internal/binding", "internal/database/namedsql internal/deletion polar"},
		{"internal/ratelimit", "internal/database/namedsql internal/deletion"},
		{"internal/database", "internal/database/namedsql internal/database/stmtcache"},
		{"internal/database/namedsql", ""},
		{"internal/database/stmtcache", ""},
		{"internal/database/databasetest", "internal/database"},

		// Who says that a user is gone. A provider knows no other provider.
		{"internal/provider", "config internal/deletion internal/fault internal/provider/payload internal/provider/signature"},
		{"internal/provider/signature", "config internal/fault"},
		{"internal/provider/payload", "internal/deletion internal/fault"},
		{"internal/provider/providertest", "config internal/deletion internal/fault internal/provider internal/provider/signature"},

		// Does this user still exist?
		{"internal/authdatabase", "internal/database/namedsql"},
		{"internal/outbox", "internal/authdatabase internal/deletion internal/directory metrics"},
		{"internal/directory", "internal/authdatabase internal/deletion internal/tracing"},
		{"internal/directory/directorytest", ""},
		{"internal/reconcile", "internal/database/namedsql internal/deletion internal/directory polar"},

		// Tests of the whole program, and measuring.
		{"e2e", ""},
		{"e2e/*", ""},
		{"bench/*", "..."},
	}
}

// TestImports parses the files itself: what `go list` prints is cached with the
// test's result, and a new violation would not be seen.
func TestImports(t *testing.T) {
	t.Parallel()
	imports := readImports(t, "..")
	for _, r := range rules() {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(imports)), func(folder string) bool { return matches(t, r.Package, folder) }) {
			t.Errorf("the table of internal/arch_test.go has a row for %s, which is no package", r.Package)
		}
	}
	for folder, imported := range imports {
		i := slices.IndexFunc(rules(), func(r rule) bool { return matches(t, r.Package, folder) })
		if i < 0 {
			t.Errorf("%s has no row in the table of internal/arch_test.go: add what it may import", folder)
			continue
		}
		for _, other := range imported {
			if !rules()[i].allows(other) {
				t.Errorf("%s imports %s, which the table of internal/arch_test.go does not allow", folder, other)
			}
		}
	}
}

func (r rule) allows(folder string) bool {
	return slices.ContainsFunc(strings.Fields(r.May), func(may string) bool {
		tree, whole := strings.CutSuffix(may, "...")
		tree = strings.TrimSuffix(tree, "/")
		if !whole || isTestKit(folder) && tree != "" {
			return folder == may
		}
		return tree == "" || folder == tree || strings.HasPrefix(folder, tree+"/")
	})
}

func isTestKit(folder string) bool { return strings.HasSuffix(folder, "test") }

func matches(t *testing.T, pattern, folder string) bool {
	t.Helper()
	ok, err := path.Match(pattern, folder)
	require.NoError(t, err)
	return ok
}

// readImports returns what of this module the packages below root import, by
// folder. Every build tag counts, tests do not, and neither do other modules.
func readImports(t *testing.T, root string) map[string][]string {
	t.Helper()
	imports := map[string][]string{}
	require.NoError(t, filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", "bin", "node_modules", "testdata", "tools"}, entry.Name()) {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(relative)
		imports[folder] = append(imports[folder], ours(t, parsed.Imports)...)
		return nil
	}))
	return imports
}

func ours(t *testing.T, specs []*ast.ImportSpec) (folders []string) {
	t.Helper()
	for _, spec := range specs {
		name, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		if folder, ok := strings.CutPrefix(name, module+"/"); ok {
			folders = append(folders, folder)
		}
	}
	return folders
}
