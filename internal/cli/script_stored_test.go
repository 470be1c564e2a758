package cli_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/polar-bridge/polar-bridge/internal/database"
)

// scriptStored stores a deletion of Clerk's as the program would leave it.
func scriptStored(ts *testscript.TestScript, neg bool, args []string) {
	const shortest = 3
	if neg || len(args) < shortest {
		ts.Fatalf("usage: stored STATE EVENT ID [WORD [COLUMN=VALUE…]]")
	}
	word := ""
	if len(args) > shortest {
		word = args[shortest]
	}
	const received, later = 1793530800000000, 1793534400000000 // 2026-11-01, 11:00 and 12:00
	set := map[string]any{"attempts": 2, "failures": 2}
	switch args[0] {
	case "waiting":
		set["next_try_at"] = time.Now().Add(time.Hour).UnixMicro()
	case "running":
		set["sent_at"], set["in_flight"] = time.Now().UnixMicro(), true
	case "held":
		set["hold_reason"], set["held_at"] = word, later
	case "done", "reappeared":
		set["outcome"], set["confirmed_by"], set["polar_status"], set["anonymized"], set["finished_at"] = word, "answer", 204, true, later
		set["customer_id"], set["verification"], set["verified_at"] = "c0ffee00-0000-4000-8000-000000000001", "gone", later+3600000000
		set["failures"] = 0
		if args[0] == "reappeared" {
			set["verification"] = "found"
		}
	case "cancelled":
		set["outcome"], set["finished_at"] = "cancelled", later
	default:
		ts.Fatalf("there is no state %q", args[0])
	}
	for _, more := range args[min(shortest+1, len(args)):] {
		column, value, _ := strings.Cut(more, "=")
		set[column] = value
	}
	state := args[0]
	if state == "running" {
		state = "waiting"
	}
	columns := []string{"idempotency_key", "provider", "event_id", "dry_run", "variant", "source", "instance", "user_id", "external_id", "unusable_id", "occurred_at", "received_at", "state"}
	values := []any{args[1], "clerk", args[1], false, "", "webhook", "", args[2], args[2], "", received - 3600000000, received, state}
	for column, value := range set {
		columns, values = append(columns, column), append(values, value)
	}
	places := make([]string, len(columns))
	for i := range places {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	db, err := database.Open(context.Background(), ts.Getenv("DATABASE_URL"), database.DefaultSchema)
	ts.Check(err)
	_, err = db.Main.ExecContext(context.Background(), "INSERT INTO polar_bridge_deletions ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(places, ", ")+")", values...)
	ts.Check(errors.Join(err, db.Close()))
}
