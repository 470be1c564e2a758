package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// deletedAt is a deletion that an instance of Clerk tells of.
func deletedAt(t *testing.T, instance, eventID, userID string) delivery {
	t.Helper()
	return signBody(t, eventID, fmt.Sprintf(
		`{"object":"event","type":"user.deleted","instance_id":%q,"data":{"object":"user","id":%q,"deleted":true}}`, instance, userID), time.Now())
}

func TestAnInstanceThatTheSettingsLeaveOutIsCountedApartAndTheListedOnesAreTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, databasetest.SQLite(t), "CLERK_INSTANCE_ID=ins_A,ins_B")
	p := w.start(t)
	p.deliver(t, deletedAt(t, "ins_A", "msg_a", "user_a"), http.StatusAccepted)
	p.deliver(t, deletedAt(t, "ins_B", "msg_b", "user_b"), http.StatusAccepted)
	p.deliver(t, deletedAt(t, "ins_C", "msg_c", "user_c"), http.StatusOK)
	p.waitMetric(t, `polar_bridge_events_total{outcome="other_instance",provider="clerk"}`, 1, 20*time.Second)
	require.InDelta(t, 0, p.metric(t, `polar_bridge_events_total{outcome="ignored",provider="clerk"}`), 0)
}
