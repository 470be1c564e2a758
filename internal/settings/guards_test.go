package settings_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
)

func TestGuardsAreOnUnlessTheyAreTurnedOff(t *testing.T) {
	t.Parallel()
	shipped := load(t, with())
	require.Equal(t, config.Guards{
		LookBeforeDelete: true, HoldTeam: true, HoldRecreated: true, WhenBlind: "continue", MaxDeletionsPerHour: 100, VerifyAfter: time.Hour,
	}, shipped.Guards)

	off := load(t, with(
		"LOOK_BEFORE_DELETE", "false", "HOLD_TEAM", "false", "HOLD_RECREATED", "false", "GUARDS_BLIND", "hold",
		"MAX_DELETIONS_PER_HOUR", "0", "GRACE_PERIOD", "24h", "VERIFY_AFTER", "0s",
		"RECORD_LOSS", "true",
	))
	require.Equal(t, config.Guards{RecordLoss: true, WhenBlind: "hold", GracePeriod: 24 * time.Hour}, off.Guards)
}

func TestGuardsThatSeeNothingAreNamed(t *testing.T) {
	t.Parallel()
	shipped := load(t, with())
	guards := shipped.Guards
	require.Empty(t, guards.Blind())
	guards.LookBeforeDelete = false
	require.Equal(t, []string{"HOLD_TEAM", "HOLD_RECREATED", "MAX_DELETIONS_PER_HOUR"}, guards.Blind())
	guards.HoldTeam, guards.HoldRecreated, guards.MaxDeletionsPerHour = false, false, 0
	require.Empty(t, guards.Blind())
	guards.RecordLoss = true
	require.Equal(t, []string{"RECORD_LOSS"}, guards.Blind())
}
