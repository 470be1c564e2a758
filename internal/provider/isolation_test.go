package provider_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// No provider's file uses what another's declares: whoever reads or changes one need
// not know the others.
func TestProvidersAreIsolated(t *testing.T) {
	t.Parallel()
	files, owner := map[string]*ast.File{}, map[string]string{}
	for _, s := range all() {
		name := strings.ReplaceAll(s.Name, "-", "_") + ".go"
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		files[name] = file
		for _, declared := range declarations(file) {
			owner[declared] = name
		}
	}
	require.Greater(t, len(owner), len(files))
	for name, file := range files {
		ast.Inspect(file, func(node ast.Node) bool {
			if selected, ok := node.(*ast.SelectorExpr); ok { // a field, a method or another package's
				ast.Inspect(selected.X, func(x ast.Node) bool { return requireOwn(t, x, name, owner) })
				return false
			}
			return requireOwn(t, node, name, owner)
		})
	}
}

func requireOwn(t *testing.T, node ast.Node, file string, owner map[string]string) bool {
	t.Helper()
	if id, ok := node.(*ast.Ident); ok && owner[id.Name] != "" {
		require.Equal(t, file, owner[id.Name], "%s uses %s", file, id.Name)
	}
	return true
}

// declarations returns the names that a file declares for its package.
func declarations(file *ast.File) []string {
	var names []string
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name.Name)
				case *ast.ValueSpec:
					for _, id := range s.Names {
						names = append(names, id.Name)
					}
				}
			}
		}
	}
	return names
}
