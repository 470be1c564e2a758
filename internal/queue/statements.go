package queue

import (
	"context"
	"database/sql"
	"embed"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
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
	namedsql.Querier

	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// IDs reads what a statement finds: one id a row.
func IDs(ctx context.Context, from Querier, statement string, args ...any) (ids []int64, err error) {
	err = namedsql.Each(ctx, from, func(row *sql.Rows) error {
		ids = append(ids, 0)
		return row.Scan(&ids[len(ids)-1])
	}, statement, args...)
	return ids, err
}
