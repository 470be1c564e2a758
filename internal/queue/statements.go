package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river/riverdriver"
)

// operatorStatements tell the dialects apart where operators read and write
// River's table.
type operatorStatements struct {
	sqlite bool
	// columns are what scanJob reads; withErrors has the failures as well.
	columns, withErrors string
	// lock ends a SELECT whose rows are about to be changed.
	lock string
	// now is the database's clock; value makes stored JSON of a text parameter.
	now   string
	value func(parameter string) string
	// text makes text of stored JSON.
	text func(column string) string
	// argument and detail are the text of a member of args and of metadata.
	argument, detail func(name string) string
}

func newOperatorStatements(driver string) operatorStatements {
	const columns = "id, kind, state, attempt, created_at, scheduled_at, finalized_at, "
	if driver != riverdriver.DatabaseNameSQLite {
		return operatorStatements{
			columns:    columns + "args::text, metadata::text, '[]'",
			withErrors: columns + "args::text, metadata::text, coalesce(to_jsonb(errors)::text, '[]')",
			lock:       " FOR UPDATE", now: "now()",
			value:    func(p string) string { return p + "::jsonb" },
			text:     func(column string) string { return column + "::text" },
			argument: func(name string) string { return "args->>'" + name + "'" },
			detail:   func(name string) string { return "metadata->>'" + name + "'" },
		}
	}
	// River keeps JSONB; text that is no JSON was put there by somebody else.
	tolerant := func(column string) string {
		return "CASE WHEN typeof(" + column + ") = 'text' AND NOT json_valid(" + column + ") THEN '{}' ELSE json(" + column + ") END"
	}
	member := func(column, name string) string {
		return "CASE WHEN typeof(" + column + ") = 'blob' OR json_valid(" + column + ") THEN " + column + "->>'$." + name + "' END"
	}
	return operatorStatements{
		sqlite:     true,
		text:       tolerant,
		columns:    columns + tolerant("args") + ", " + tolerant("metadata") + ", '[]'",
		withErrors: columns + tolerant("args") + ", " + tolerant("metadata") + ", coalesce(" + tolerant("errors") + ", '[]')",
		now:        "datetime('now', 'subsec')",
		value:      func(p string) string { return "jsonb(" + p + ")" },
		argument:   func(name string) string { return member("args", name) },
		detail:     func(name string) string { return member("metadata", name) },
	}
}

// time is a parameter that can be compared with River's columns.
func (s operatorStatements) time(t time.Time) any {
	if s.sqlite {
		return t.UTC().Format("2006-01-02 15:04:05.000")
	}
	return t
}

// Conditions of River's states.
const (
	isHeld     = "(state = 'discarded' OR state = 'scheduled' AND scheduled_at > " + heldFrom + ")"
	isFinished = "state IN ('completed', 'cancelled')"
)

// in is a state in SQL, so that River's indexes serve.
func (s State) in() string {
	switch s {
	case StateWaiting:
		return "(state IN ('available', 'pending', 'retryable', 'running') OR state = 'scheduled' AND scheduled_at <= " + heldFrom + ")"
	case StateHeld:
		return isHeld
	case StateDone:
		return "state = 'completed'"
	case StateCancelled:
		return "state = 'cancelled'"
	}
	return "true"
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// jobs reads the rows of a query whose columns are columns or withErrors.
func jobs(ctx context.Context, from querier, query string, parameters ...any) (found []*job, err error) {
	rows, err := from.QueryContext(ctx, query, parameters...)
	if err != nil {
		return nil, fmt.Errorf("read deletions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		j := &job{}
		var finalized sql.NullTime
		err := rows.Scan(&j.id, &j.kind, &j.state, &j.attempt, &j.created, &j.scheduled, &finalized, &j.rawArgs, &j.rawMetadata, &j.rawErr)
		if err != nil {
			return nil, fmt.Errorf("read a deletion: %w", err)
		}
		if finalized.Valid {
			j.finalized = &finalized.Time
		}
		found = append(found, j)
	}
	return found, rows.Err()
}

// numbered returns n parameters from $1 and the ids as their values.
func numbered(ids []int64) (parameters string, values []any) {
	names := make([]string, len(ids))
	values = make([]any, len(ids))
	for i, id := range ids {
		names[i], values[i] = fmt.Sprintf("$%d", i+1), id
	}
	return strings.Join(names, ", "), values
}
