package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
)

// zero prints the zero value of a type as --json does.
func zero[T output](what string, commands ...string) printed {
	return printed{what, commands, reflect.TypeFor[T](), func() (string, error) {
		var line bytes.Buffer
		var value T
		err := printJSON(&line, value)
		return line.String(), err
	}}
}

// printed is what some commands print.
type printed struct {
	what     string
	commands []string
	of       reflect.Type
	zero     func() (line string, err error)
}

func everythingPrinted() []printed {
	return []printed{
		zero[queue.Record]("One object a line of `list`, one object of `show`.", "deletions list", "deletions show"),
		zero[proof]("With `--format jsonl`: one object a line. The columns of CSV have the same names.", "deletions export"),
		zero[statsReport]("One object.", "deletions stats"),
		zero[requested]("One object a line, for each external id.", "deletions request"),
		zero[acted]("One object a line, for each deletion that was named by its id. Acknowledging deletes nobody.", "deletions approve", "deletions retry", "deletions cancel", "deletions redo", "deletions acknowledge"),
		zero[actedOnMany]("One object when the command chose the deletions (`--all`, `--reason`, `--outcome`): its one field is named after what was done, `approved`, `retried`, `cancelled` or `redone`, and has their number.",
			"deletions approve", "deletions retry", "deletions cancel", "deletions redo"),
		zero[pauseReport]("One object.", "deletions pause", "deletions resume"),
		zero[forgotten]("One object.", "deletions forget"),
		zero[reconcile.Orphan]("One object a line, for each customer whose user is gone.", "reconcile"),
		zero[reconciled]("One object, the last line.", "reconcile"),
		zero[directory.Auth0Delivery]("With `--deliveries`: one object a line, for each event that Auth0 failed to deliver.", "reconcile"),
		zero[doctorReport]("One object.", "doctor"),
		zero[selftestReport]("One object.", "selftest"),
		zero[sent]("One object.", "send"),
		zero[[]sendable]("With `--list`: a list of such objects.", "send"),
		zero[outboxReport]("One object.", "outbox check"),
		zero[versionReport]("One object.", "version"),
	}
}

const jsonPage = "../../docs/json.md"

// TestReferenceOfJSON fails when docs/json.md is not what the program prints.
func TestReferenceOfJSON(t *testing.T) {
	t.Parallel()
	sources := readSources(t)
	page := jsonHead
	for _, p := range everythingPrinted() {
		flagged := " --json`"
		if p.commands[0] == "deletions export" {
			flagged = "`"
		}
		page += "\n## `" + strings.Join(p.commands, flagged+", `") + flagged + "\n" + p.what + "\n"
		if rows := sources.rows(t, "", p.of); rows != "" {
			page += "\n| field | type | meaning |\n|---|---|---|\n" + rows
		}
	}
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(jsonPage, []byte(page), 0o644))
	}
	written, err := os.ReadFile(jsonPage)
	require.NoError(t, err)
	require.Equal(t, page, string(written), "run: make settings")
}

func TestEverythingThatIsPrintedAsJSONIsDocumented(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	var types []string
	for _, p := range everythingPrinted() {
		types = append(types, strings.ReplaceAll(p.of.String(), "cli.", ""))
		for _, command := range p.commands {
			documented[command] = true
		}
	}
	slices.Sort(types)

	t.Run("each type", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, outputTypes(t), types)
	})
	t.Run("each command", func(t *testing.T) {
		t.Parallel()
		parser, err := newParser(&Env{}, config.NewLoader(config.Env{}), provider.All(provider.Options{Now: time.Now}), kong.Exit(func(int) {}))
		require.NoError(t, err)
		count := 0
		for _, leaf := range parser.Model.Leaves(false) {
			if slices.ContainsFunc(leaf.Flags, func(f *kong.Flag) bool { return f.Name == "json" }) {
				count++
				require.True(t, documented[leaf.Path()], leaf.Path())
			}
		}
		require.Len(t, documented, count+1, "all of them, and export")
	})
	t.Run("each field is always there", func(t *testing.T) {
		t.Parallel()
		for _, p := range everythingPrinted() {
			line, err := p.zero()
			require.NoError(t, err)
			if p.of.Kind() != reflect.Struct {
				continue
			}
			var there map[string]any
			require.NoError(t, json.Unmarshal([]byte(line), &there))
			for _, f := range fieldsOf(p.of) {
				require.Contains(t, there, f.name, p.of)
				if f.of == reflect.TypeFor[time.Time]() || f.of.Kind() == reflect.Pointer {
					require.Nil(t, there[f.name], f.name)
				} else {
					require.NotNil(t, there[f.name], f.name)
				}
			}
		}
	})
}

// outputTypes reads the union of the constraint output.
func outputTypes(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("print.go")
	require.NoError(t, err)
	union := regexp.MustCompile(`(?s)type output interface \{(.*?)\n\}`).FindSubmatch(text)
	require.NotNil(t, union)
	for one := range strings.SplitSeq(string(union[1]), "|") {
		all = append(all, strings.TrimSpace(one))
	}
	slices.Sort(all)
	return all
}

// field is a member of what is printed.
type field struct {
	name, goName string
	owner, of    reflect.Type
}

func fieldsOf(of reflect.Type) (all []field) {
	for f := range of.Fields() {
		switch name := f.Tag.Get("json"); {
		case f.Anonymous:
			all = append(all, fieldsOf(f.Type)...)
		case f.IsExported() && name != "-":
			all = append(all, field{name: name, goName: f.Name, owner: of, of: f.Type})
		}
	}
	return all
}

// sources are the comments of struct fields by package, type and name, and the words of
// closed sets by package and type.
type sources struct {
	comments map[string]string
	words    map[string][]string
}

func readSources(t *testing.T) sources {
	t.Helper()
	s := sources{map[string]string{}, map[string][]string{}}
	for _, folder := range []string{".", "../queue", "../queue/ops", "../deletion", "../reconcile", "../directory"} {
		files, err := filepath.Glob(folder + "/*.go")
		require.NoError(t, err)
		for _, path := range files {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			require.NoError(t, err)
			ast.Inspect(file, func(node ast.Node) bool {
				s.add(file.Name.Name, node)
				return true
			})
		}
	}
	s.words["deletion.Search"] = nil // some of which are words of Polar's
	for _, word := range deletion.Searches() {
		s.words["deletion.Search"] = append(s.words["deletion.Search"], "`"+string(word)+"`")
	}
	return s
}

func (s sources) add(pkg string, node ast.Node) {
	switch spec := node.(type) {
	case *ast.TypeSpec:
		structure, ok := spec.Type.(*ast.StructType)
		if !ok {
			return
		}
		for _, f := range structure.Fields.List {
			for _, name := range f.Names {
				s.comments[pkg+"."+spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(f.Doc.Text()+" "+f.Comment.Text()), " ")
			}
		}
	case *ast.ValueSpec:
		of, ok := spec.Type.(*ast.Ident)
		for _, value := range spec.Values {
			if word, isWord := value.(*ast.BasicLit); ok && isWord && word.Kind == token.STRING {
				s.words[pkg+"."+of.Name] = append(s.words[pkg+"."+of.Name], "`"+strings.Trim(word.Value, `"`)+"`")
			}
		}
	}
}

// rows are lines of a table, for the type and for what is in it.
func (s sources) rows(t *testing.T, path string, of reflect.Type) (rows string) {
	t.Helper()
	for of.Kind() == reflect.Slice || of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || of == reflect.TypeFor[time.Time]() {
		return ""
	}
	for _, f := range fieldsOf(of) {
		comment := s.comments[f.owner.String()+"."+f.goName]
		if f.owner == reflect.TypeFor[proof]() { // which has Record's fields
			comment = cmp.Or(comment, s.comments["queue.Record."+f.goName])
		}
		require.NotEmpty(t, comment, "%s.%s needs a comment for docs/json.md", f.owner, f.goName)
		comment = strings.TrimSuffix(strings.Replace(comment, f.goName+" ", "", 1), ".")
		kind, words := kindOf(f.of), s.words[f.of.String()]
		if f.of.Kind() == reflect.Map {
			words = s.words[f.of.Key().String()]
		}
		if len(words) > 0 {
			comment += ": " + strings.Join(words, ", ")
		}
		rows += fmt.Sprintf("| `%s%s` | %s | %s |\n", path, f.name, kind, strings.ReplaceAll(comment, "|", `\|`))
		inner := path + f.name + "."
		if f.of.Kind() == reflect.Slice {
			inner = path + f.name + "[]."
		}
		rows += s.rows(t, inner, f.of)
	}
	return rows
}

// kindOf names a type for somebody who reads JSON.
func kindOf(of reflect.Type) string {
	switch {
	case of == reflect.TypeFor[time.Time]():
		return "time or null"
	case of.Kind() == reflect.Pointer:
		return kindOf(of.Elem()) + " or null"
	case of.Kind() == reflect.Slice:
		return "list of " + strings.TrimSuffix(kindOf(of.Elem()), "s") + "s"
	case of.Kind() == reflect.Map:
		return "object of numbers"
	case of.Kind() == reflect.Struct:
		return "object"
	case of.Kind() == reflect.Bool:
		return "boolean"
	case of.Kind() == reflect.String:
		return "text"
	}
	return "number"
}

const jsonHead = `# JSON for scripts

What ` + "`--json`" + ` prints, field by field. Every field is always there. Where there is nothing, a text is ` + "`\"\"`" + `, a list ` + "`[]`" + `, a boolean
` + "`false`" + `, a count ` + "`0`" + `; a time, and a number that may be unknown, is ` + "`null`" + `. Times are RFC 3339 in UTC. A release adds fields, at any place;
one that renames or removes a field says so in its changelog. Exit codes: 0 for ok, 1 for failure (what was printed until then counts), 2 for a
command line that makes no sense.

This page is generated: ` + "`make settings`" + `.
`
