package directory_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
)

var _ directory.InstanceStore = (*database.DB)(nil)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

func TestAnInstallation(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		allow := func(provider, asked string, named ...string) error {
			pinned := directory.PinnedInstance{Store: db, Provider: provider, Named: named}
			return pinned.Allow(t.Context(), asked)
		}
		refused := func(err error) {
			t.Helper()
			require.Equal(t, deletion.RetryDirectoryOtherInstance, reasonOf(err))
		}
		require.NoError(t, allow("clerk", "ins_A"), "the first one is the one")
		require.NoError(t, allow("clerk", "ins_A"))
		refused(allow("clerk", "ins_B"))
		require.NoError(t, allow("auth0", "ins_B"), "another provider's are its own")

		require.NoError(t, allow("clerk", "ins_B", "ins_B", "ins_C"), "a setting is the operator's word")
		require.NoError(t, allow("clerk", "ins_B"), "which is remembered without it")
		refused(allow("clerk", "ins_A"))
		refused(allow("clerk", "ins_B", "ins_C"))
		require.NoError(t, allow("clerk", "ins_B"), "a refused one is not remembered")

		require.NoError(t, db.SetInstance(t.Context(), "clerk", "ins_A"))
		require.NoError(t, allow("clerk", "ins_A"))
		refused(allow("clerk", "ins_B"))
	})
}

// rateLimited is what reasonOf says when the API asks to wait.
const rateLimited deletion.RetryReason = "rate limited"

func reasonOf(err error) deletion.RetryReason {
	unanswered, ok := errors.AsType[*directory.Error](err)
	switch {
	case !ok:
		return ""
	case unanswered.RetryAfter > 0:
		return rateLimited
	}
	return unanswered.Reason
}

func retryAfter(err error) time.Duration {
	unanswered, ok := errors.AsType[*directory.Error](err)
	if !ok {
		return 0
	}
	return unanswered.RetryAfter
}
