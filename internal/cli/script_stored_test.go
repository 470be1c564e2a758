package cli_test

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/polar-bridge/polar-bridge/internal/database"
)

// scriptStored stores a deletion of Clerk's as the program would leave it.
func scriptStored(ts *testscript.TestScript, neg bool, args []string) {
	const shortest = 3
	if neg || len(args) < shortest {
		ts.Fatalf("usage: stored STATE EVENT ID [WORD]")
	}
	word := ""
	if len(args) > shortest {
		word = args[shortest]
	}
	state, scheduled, finalized, metadata := "retryable", "datetime('now', '+1 hour')", "NULL", map[string]any{}
	switch args[0] {
	case "waiting":
	case "running":
		state = "running"
	case "held":
		state, scheduled, metadata = "scheduled", "'2226-01-01 00:00:00'", map[string]any{"hold_reason": word, "held_at": "2026-11-01T12:00:00Z"}
	case "done":
		state, finalized = "completed", "'2026-11-01 12:00:00.000'"
		metadata = map[string]any{
			"output":      map[string]any{"outcome": word, "confirmed_by": "answer", "polar_status": 204, "anonymized": true, "finished_at": "2026-11-01T12:00:00Z"},
			"customer_id": "c0ffee00-0000-4000-8000-000000000001", "verified_at": "2026-11-01T13:00:00Z",
		}
	case "cancelled":
		state, finalized = "cancelled", "'2026-11-01 12:00:00.000'"
	default:
		ts.Fatalf("there is no state %q", args[0])
	}
	arguments, err := json.Marshal(map[string]any{
		"provider": "clerk", "event_id": args[1], "user_id": args[2], "external_id": args[2], "version": 1,
		"occurred_at": "2026-11-01T10:00:00Z", "received_at": "2026-11-01T11:00:00Z",
	})
	ts.Check(err)
	details, err := json.Marshal(metadata)
	ts.Check(err)
	db, err := database.Open(context.Background(), ts.Getenv("DATABASE_URL"))
	ts.Check(err)
	_, err = db.Main.ExecContext(context.Background(), `INSERT INTO river_job
		(args, metadata, kind, queue, max_attempts, attempt, state, scheduled_at, finalized_at, created_at)
		VALUES (jsonb($1), jsonb($2), 'delete_customer', 'deletions', 32767, 2, $3, `+scheduled+`, `+finalized+`, '2026-11-01 11:00:00.000')`,
		string(arguments), string(details), state)
	ts.Check(errors.Join(err, db.Close()))
}
