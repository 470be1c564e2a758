package queue

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
)

//go:embed sql
var statementFiles embed.FS

// statements are the queue's SQL, as it stands in sql. A batch of rows, of ids or of
// keys is one parameter, see batch: so each statement has one text, which is prepared
// once.
type statements struct {
	ReserveJobs, InsertDeletions, FirstsOfEvents      string
	Sends, BeginSends, CountFromNow, CountHour        string
	WriteDecisions, WasDecided, EndJobs               string
	Records, LockRecords, Approvals, Actions          string
	SendAgain, VerificationFailed, Verified           string
	CountPending, OldestWaiting                       string
	SomeUnreported, TakeUnreported                    string
	ClaimLease, EndOfWaitingChunk, WaitingOrphans     string
	EndOfUnverifiedChunk, UnverifiedOrphans, IsOrphan string
	OldDeletions                                      string
	RemoveApprovals, RemoveActions, RemoveDeletions   string
	PausedQueue, IsPaused, MakeQueue, ReadQueue       string
	SomeStalePause, KeepPauses                        string
	SomeInFuture, MoveToPresent                       string

	ServerClock                               string `only:"postgres"`
	SomeDue, MoveDue                          string `only:"sqlite"`
	ResetInFlight, ResetRunning, DeposeLeader string `only:"sqlite"`
}

// batch is the parameter that stands for all of rows: a JSON array. What cannot be
// written in it, such as invalid UTF-8, is an error.
func batch[T any](rows []T) (string, error) {
	text, err := json.Marshal(rows)
	if err != nil {
		return "", fmt.Errorf("encode a batch: %w", err)
	}
	return string(text), nil
}

// Querier is a database or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// each calls read for each row of a query.
func each(ctx context.Context, from Querier, read func(row *sql.Rows) error, statement string, args ...any) (err error) {
	rows, err := from.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := read(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// IDs reads what a statement finds: one id a row.
func IDs(ctx context.Context, from Querier, statement string, args ...any) (ids []int64, err error) {
	err = each(ctx, from, func(row *sql.Rows) error {
		ids = append(ids, 0)
		return row.Scan(&ids[len(ids)-1])
	}, statement, args...)
	return ids, err
}
