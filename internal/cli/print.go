package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/mattn/go-isatty"

	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
)

// output is all that --json prints. docs/json.md is made of these types.
type output interface {
	queue.Record | proof | statsReport | requested | acted | actedOnMany | pauseReport | forgotten |
		doctorReport | selftestReport | sent | []sendable | versionReport | outboxReport |
		reconcile.Orphan | reconciled | directory.Auth0Delivery
}

// printAs writes the value as one line of JSON, or else the text, to stdout.
func printAs[T output](env *Env, asJSON bool, value T, text string) error {
	if asJSON {
		return printJSON(env.Stdout, value)
	}
	_, err := fmt.Fprintln(env.Stdout, text)
	return err
}

// printJSON prints a value as one line. Every field is there: a time, and a number that
// may be unknown, is null where there is none, a text is "", and a list is [].
func printJSON[T output](w io.Writer, value T) error {
	times := json.MarshalToFunc(func(e *jsontext.Encoder, t time.Time) error {
		if !t.IsZero() {
			return errors.ErrUnsupported // as any other
		}
		return e.WriteToken(jsontext.Null)
	})
	line, err := json.Marshal(value, json.WithMarshalers(times), json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// isTerminal says that people read what is written.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// rowsAtOnce is after how many rows a table is printed, so that a million of
// them needs no memory. Each part is aligned for itself.
const rowsAtOnce = 500

// terminalWidth is what a table keeps to that has a column to shorten.
const terminalWidth = 80

// table prints rows in columns.
type table struct {
	columns *tabwriter.Writer
	out     *bufio.Writer // which remembers its first error
	heading []any
	rows    int
	pending [][]string // not printed yet
	// shortens is the column whose texts are shortened, to so many letters at least,
	// where the table would be wider than a terminal; 0 is none.
	shortens, least int
}

// newTable returns a table with a heading, or without one.
func newTable(w io.Writer, heading ...any) *table {
	out := bufio.NewWriter(w)
	return &table{columns: tabwriter.NewWriter(out, 0, 0, columnGap, ' ', 0), out: out, heading: heading}
}

const columnGap = 2

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
	t.pending = append(t.pending, texts)
}

// flush prints what has not been printed yet.
func (t *table) flush() error {
	if t.shortens > 0 {
		t.fit()
	}
	for _, texts := range t.pending {
		fmt.Fprintln(t.columns, strings.Join(texts, "\t"))
	}
	t.pending = nil
	return errors.Join(t.columns.Flush(), t.out.Flush())
}

// fit shortens the column by as much as the rows are too wide.
func (t *table) fit() {
	var widths []int
	for _, texts := range t.pending {
		for i, text := range texts {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	excess := -terminalWidth - columnGap
	for _, width := range widths {
		excess += width + columnGap
	}
	if excess <= 0 {
		return
	}
	longest := max(widths[t.shortens]-excess, t.least)
	for _, texts := range t.pending {
		texts[t.shortens] = shortened(texts[t.shortens], longest)
	}
}

// shortened leaves out the middle of a text that is longer than so many letters.
func shortened(text string, longest int) string {
	letters := []rune(text)
	if len(letters) <= longest {
		return text
	}
	tail := longest / 2 //nolint:mnd // half of it
	return string(letters[:longest-tail-1]) + "…" + string(letters[len(letters)-tail:])
}

// visible returns text as it is when it can be seen as it is, else quoted.
func visible(text string) string { return ops.Visible(text) }

// at shows a time to the second, in UTC.
func at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateTime)
}

// age is for how long something has been so, as --since takes it.
func age(since time.Time) string {
	n, unit := ops.LargestUnit(max(time.Since(since), 0))
	return strconv.Itoa(n) + unit[:1]
}

func plural(n int, what string) string { return ops.Plural(n, what) }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
