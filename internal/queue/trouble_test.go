package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// What is not known about earlier attempts must not become a claim that nobody
// was there: the customer may be gone because of us.
func TestMetadataThatCannotBeReadCountsAsALostAnswer(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		leaveAs(t, db, "state = 'available', metadata = "+jsonValue(db, `{"answer_lost":"yes","answer_lost_anonymized":true}`))
		h := start(t, db, deleted)
		got := h.applier.wait(t, 1)[0]
		require.True(t, got.AnswerLost)
		require.False(t, got.LostAnonymized)
		h.waitState(t, "e1", "completed")
	})
}

func TestTablesThatAreGoneAreSaidByEverybodyWhoLooks(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		_, err := db.Main.ExecContext(t.Context(), "ALTER TABLE river_job RENAME TO elsewhere")
		require.NoError(t, err)
		h := start(t, db, deleted)
		require.NotEmpty(t, h.line(t, "deletions left in the future by a clock not looked for")["error"])
		_, err = h.Census(t.Context())
		require.ErrorContains(t, err, "count deletions: ")
		_, err = h.ResetRunning(t.Context())
		require.ErrorContains(t, err, "take back interrupted deletions: ")
	})
}

func TestStoppingIsBoundedByTheContext(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	release := make(chan struct{})
	h := start(t, db, func(ctx context.Context, a event.Attempt) (event.Result, error) {
		<-release // deaf to ctx
		return deleted(ctx, a)
	})
	h.accept(t, deletion("e1", "u1"))
	h.applier.wait(t, 1)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- h.Stop(ctx) }()
	select {
	case err := <-stopped:
		require.ErrorIs(t, err, context.DeadlineExceeded)
	case <-time.After(3 * time.Second):
		t.Error("it waits longer than its context")
	}
	close(release)
	h.stop(t)
	require.Equal(t, "completed", h.job(t, "e1").state)
}

func TestAQueueWithoutWorkersIsRefused(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	_, err := queue.New(queue.Options{Driver: db.Driver(), DB: db.Main, Reader: db.Reader, Logger: zap.NewNop(), Now: time.Now, Retention: 72 * time.Hour})
	require.ErrorContains(t, err, "prepare queue: ")
}
