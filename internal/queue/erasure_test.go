package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

func TestAForgottenPersonsEventIsStillRecognised(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		polar := &rejectedUntil{}
		h, d := start(t, db, polar.apply), operator(t, db)
		h.accept(t, deletion("marker-event-1", "marker-person"), deletion("marker-event-2", "marker-person"), deletion("e3", "other"))
		h.applier.wait(t, 3)
		held := d.wait(t, "marker-event-1", queue.StateHeld)
		d.wait(t, "marker-event-2", queue.StateHeld)

		_, err := d.Cancel(t.Context(), held.ID, "marker asked me")
		require.NoError(t, err)
		_, err = d.Forget(t.Context(), "marker-person")
		requireRefused(t, err, "deletion of the same person is held")
		require.Equal(t, "marker-event-1", d.only(t, "marker-event-1").EventID, "nothing was changed")

		polar.allow()
		require.NoError(t, d.Approve(t.Context(), d.only(t, "marker-event-2").ID))
		done := d.wait(t, "marker-event-2", queue.StateDone)
		addCustomer := "UPDATE river_job SET metadata = jsonb_set(metadata, '$.customer_id', 'marker-customer', '$.output.customer_id', 'marker-customer')"
		if db.Dialect == database.Postgres {
			addCustomer = `UPDATE river_job SET metadata = jsonb_set(metadata || '{"customer_id":"marker-customer"}', '{output,customer_id}', '"marker-customer"'), errors = ARRAY['{"error":"marker"}'::jsonb]`
		}
		_, err = db.Main.ExecContext(t.Context(), addCustomer)
		require.NoError(t, err)

		n, err := d.Forget(t.Context(), "marker-person")
		require.NoError(t, err)
		require.Equal(t, 2, n)
		forgotten, err := d.Find(t.Context(), done.ID)
		require.NoError(t, err)
		require.True(t, forgotten.Forgotten)
		require.Equal(t, event.OutcomeDeleted, forgotten.Outcome)
		require.Equal(t, event.ConfirmedByAnswer, forgotten.ConfirmedBy)
		require.Equal(t, done.ReceivedAt, forgotten.ReceivedAt)
		require.Equal(t, done.FinishedAt, forgotten.FinishedAt)
		require.Equal(t, "forget", forgotten.Actions[len(forgotten.Actions)-1].Action)
		require.NotContains(t, everything(t, db, fmt.Sprint("id <> ", d.only(t, "e3").ID)), "marker")
		for _, entry := range d.logs.FilterMessage("operator action").FilterField(zap.String("action", "forget")).All() {
			require.NotContains(t, entry.ContextMap(), "event_id")
			require.NotContains(t, entry.ContextMap(), "external_id")
		}

		for _, eventID := range []string{"marker-event-1", "marker-event-2"} {
			receipt, err := h.Accept(t.Context(), []event.Deletion{deletion(eventID, "marker-person")})
			require.NoError(t, err)
			require.Equal(t, event.Receipt{Duplicates: 1}, receipt)
		}
		n, err = d.Forget(t.Context(), "marker-person")
		require.NoError(t, err)
		require.Zero(t, n)
		require.Equal(t, "other", d.only(t, "e3").ExternalID)
	})
}

func TestFinishedDeletionsComeInOrderAndSinceThen(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h, d := start(t, db, deleted), operator(t, db)
		h.accept(t, deletion("e1", "u1"), unusable("e2"))
		d.wait(t, "e1", queue.StateDone)
		h.accept(t, deletion("e3", "u3"))
		d.wait(t, "e3", queue.StateDone)
		finished := func(since time.Time) (ids []string) {
			for r, err := range d.Finished(t.Context(), since, time.Time{}) {
				require.NoError(t, err)
				ids = append(ids, r.EventID+" "+string(r.Outcome))
			}
			return ids
		}
		require.Equal(t, []string{"e1 deleted", "e3 deleted"}, finished(time.Time{}), "held is not finished")
		_, err := d.Cancel(t.Context(), d.only(t, "e2").ID, "no")
		require.NoError(t, err)
		require.Equal(t, []string{"e1 deleted", "e2 cancelled", "e3 deleted"}, finished(time.Now().Add(-time.Hour)))
		require.Empty(t, finished(time.Now().Add(time.Hour)))
	})
}

// everything is all text that the rows have.
func everything(t *testing.T, db *database.DB, where string) string {
	t.Helper()
	columns := "coalesce(json(args), '') || coalesce(json(metadata), '') || coalesce(json(errors), '') || coalesce(json(tags), '')"
	if db.Dialect == database.Postgres {
		columns = "coalesce(args::text, '') || coalesce(metadata::text, '') || coalesce(errors::text, '') || coalesce(tags::text, '')"
	}
	rows, err := db.Main.QueryContext(t.Context(), "SELECT "+columns+" FROM river_job WHERE "+where)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var all string
	for rows.Next() {
		var text string
		require.NoError(t, rows.Scan(&text))
		all += text + "\n"
	}
	require.NoError(t, rows.Err())
	require.NotEmpty(t, all)
	return all
}
