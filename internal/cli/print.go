package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// print writes the value as one line of JSON, or else the text, to stdout.
func (e *Env) print(asJSON bool, value any, text string) error {
	if asJSON {
		return printJSON(e.Stdout, value)
	}
	_, err := fmt.Fprintln(e.Stdout, text)
	return err
}

// printJSON prints a value as one line.
func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// rowsAtOnce is after how many rows a table is printed, so that a million of
// them needs no memory. Each part is aligned for itself.
const rowsAtOnce = 500

// table prints rows in columns.
type table struct {
	columns *tabwriter.Writer
	out     *bufio.Writer // which remembers its first error
	heading []any
	rows    int
}

// newTable returns a table with a heading, or without one.
func newTable(w io.Writer, heading ...any) *table {
	out := bufio.NewWriter(w)
	return &table{columns: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0), out: out, heading: heading}
}

// row adds one of many rows.
func (t *table) row(cells ...any) error {
	if t.rows%rowsAtOnce == 0 {
		if err := t.flush(); err != nil {
			return err
		}
		if len(t.heading) > 0 {
			t.line(t.heading...)
		}
	}
	t.rows++
	t.line(cells...)
	return nil
}

// line adds a row and prints nothing yet.
func (t *table) line(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = fmt.Sprint(cell)
	}
	fmt.Fprintln(t.columns, strings.Join(texts, "\t"))
}

// flush prints what has not been printed yet.
func (t *table) flush() error { return errors.Join(t.columns.Flush(), t.out.Flush()) }

// visible returns text as it is when it can be seen as it is, else quoted.
func visible(text string) string { return ops.Visible(text) }

// at shows a time to the second, in UTC.
func at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateTime)
}

func plural(n int, what string) string { return ops.Plural(n, what) }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
