package authdatabase

import (
	"embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/jackc/pgx/v5"
)

//go:embed sql
var files embed.FS

// Installation is what stands in the auth system's database.
type Installation struct {
	Users

	// Soft says that a time in the column SoftDeleted is a deletion as well.
	Soft bool
}

// Cast is the type that ids are cast to before they are compared.
func (i Installation) Cast() string {
	if i.Type == BigInt {
		return "int8"
	}
	return string(i.Type)
}

// InstallSQL returns the SQL that makes it, for an administrator to review and to run.
func (i Installation) InstallSQL() (string, error) {
	if i.Soft && i.SoftDeleted == "" {
		return "", fmt.Errorf("%s has no soft deletion", i.Provider)
	}
	return i.render("install.sql.tmpl")
}

// RemoveSQL returns the SQL that undoes any installation.
func RemoveSQL() (string, error) {
	text, err := files.ReadFile("sql/remove.sql")
	return string(text), err
}

// render executes a template, or the body of a function.
func (i Installation) render(name string) (string, error) {
	parsed, err := template.New("").Funcs(template.FuncMap{
		"identifier": func(name string) string { return pgx.Identifier{name}.Sanitize() },
		"literal":    func(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" },
	}).ParseFS(files, "sql/*.tmpl")
	if err != nil {
		return "", fmt.Errorf("parse the SQL templates: %w", err)
	}
	var text strings.Builder
	err = parsed.ExecuteTemplate(&text, name, i)
	return text.String(), err
}
