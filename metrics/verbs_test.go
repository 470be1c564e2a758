package metrics_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/metrics"
	"github.com/polar-bridge/polar-bridge/polar"
)

func TestVerbs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(m *metrics.Metrics)
		want map[string]float64
	}{
		{
			"webhook of a provider",
			func(m *metrics.Metrics) { m.WebhookReceived("clerk", metrics.WebhookAccepted, time.Second) },
			map[string]float64{
				`polar_bridge_webhooks_total{outcome="accepted",provider="clerk"}`: 1,
				`polar_bridge_webhook_duration_seconds{provider="clerk"}`:          1,
			},
		},
		{
			"unknown route",
			func(m *metrics.Metrics) {
				m.WebhookReceived(metrics.ProviderNone, metrics.WebhookNotFound, time.Second)
			},
			map[string]float64{`polar_bridge_webhooks_total{outcome="not_found",provider="none"}`: 1},
		},
		{
			"outcome that does not exist",
			func(m *metrics.Metrics) { m.WebhookReceived("clerk", "fine", time.Second) },
			map[string]float64{
				`polar_bridge_webhooks_total{outcome="error",provider="clerk"}`: 1,
				`polar_bridge_webhook_duration_seconds{provider="clerk"}`:       1,
			},
		},
		{
			"signature of a gateway",
			func(m *metrics.Metrics) {
				m.GatewaySignature(deletion.GatewayAbsent)
				m.GatewaySignature(deletion.GatewayNeeded)
				m.GatewaySignature("fine")
			},
			map[string]float64{`polar_bridge_gateway_signatures_total{result="needed"}`: 1},
		},
		{
			"events",
			func(m *metrics.Metrics) {
				m.Events("auth0", metrics.EventHeld, 3)
				m.Events("auth0", metrics.EventIgnored, 0)
				m.Events("auth0", metrics.EventAccepted, -1)
				m.Events("gone", metrics.EventDuplicate, 2)
				m.Events("auth0", "fine", 2)
			},
			map[string]float64{
				`polar_bridge_events_total{outcome="held",provider="auth0"}`:     3,
				`polar_bridge_events_total{outcome="duplicate",provider="none"}`: 2,
			},
		},
		{
			"finished deletion",
			func(m *metrics.Metrics) { m.DeletionFinished("clerk", deletion.OutcomeDeleted, -time.Second) },
			map[string]float64{
				`polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`: 1,
				`polar_bridge_deletion_delay_seconds{provider="clerk"}`:            1,
			},
		},
		{
			"cancelled deletion has no delay",
			func(m *metrics.Metrics) { m.DeletionFinished("clerk", deletion.OutcomeCancelled, time.Hour) },
			map[string]float64{`polar_bridge_deletions_total{outcome="cancelled",provider="clerk"}`: 1},
		},
		{
			"held deletion of a provider that is gone",
			func(m *metrics.Metrics) { m.DeletionHeld("gone", deletion.HoldRejected) },
			map[string]float64{`polar_bridge_deletions_held_total{provider="none",reason="rejected"}`: 1},
		},
		{
			"attempt",
			func(m *metrics.Metrics) { m.Attempt("clerk", polar.ResultRateLimited) },
			map[string]float64{`polar_bridge_deletion_attempts_total{provider="clerk",result="rate_limited"}`: 1},
		},
		{
			"deletion held by a guard",
			func(m *metrics.Metrics) { m.DeletionHeld("clerk", deletion.HoldMassDeletion) },
			map[string]float64{`polar_bridge_deletions_held_total{provider="clerk",reason="mass_deletion"}`: 1},
		},
		{
			"verification",
			func(m *metrics.Metrics) {
				m.DeletionVerified("clerk", deletion.VerificationGone)
				m.DeletionVerified("clerk", "perhaps")
			},
			map[string]float64{
				`polar_bridge_verifications_total{outcome="gone",provider="clerk"}`:  1,
				`polar_bridge_verifications_total{outcome="error",provider="clerk"}`: 1,
			},
		},
		{
			"wait for a permit and size",
			func(m *metrics.Metrics) { m.RateLimitWait(time.Second); m.SetDatabaseSize(4096) },
			map[string]float64{`polar_bridge_polar_rate_limit_wait_seconds{}`: 1, `polar_bridge_database_size_bytes{}`: 4096},
		},
		{
			"database integrity ok",
			func(m *metrics.Metrics) { m.SetDatabaseIntegrityOK(false); m.SetDatabaseIntegrityOK(true) },
			map[string]float64{`polar_bridge_database_integrity_ok{}`: 1},
		},
		{
			"database maintenance failed",
			func(m *metrics.Metrics) { m.DatabaseMaintenanceFailed("integrity_check") },
			map[string]float64{`polar_bridge_database_maintenance_failures_total{maintenance="integrity_check"}`: 1},
		},
		{
			"database damaged",
			func(m *metrics.Metrics) { m.SetDatabaseIntegrityOK(true); m.SetDatabaseIntegrityOK(false) },
			map[string]float64{},
		},
		{
			"deletions now",
			func(m *metrics.Metrics) {
				m.SetPending(deletion.StateWaiting, 5)
				m.SetPending(deletion.StateHeld, 2)
				m.SetPending(deletion.StateReappeared, 1)
				m.SetOldestWaiting(time.Unix(1_700_000_000, 500_000_000))
			},
			map[string]float64{
				`polar_bridge_deletions_pending{state="waiting"}`:    5,
				`polar_bridge_deletions_pending{state="held"}`:       2,
				`polar_bridge_deletions_pending{state="reappeared"}`: 1,
				`polar_bridge_oldest_waiting_timestamp_seconds{}`:    1_700_000_000.5,
			},
		},
		{
			"row and job apart",
			func(m *metrics.Metrics) { m.OrphanFound(metrics.OrphanRow); m.OrphanFound(metrics.OrphanJob) },
			map[string]float64{
				`polar_bridge_queue_orphans_total{kind="deletion"}`: 1,
				`polar_bridge_queue_orphans_total{kind="job"}`:      1,
			},
		},
		{
			"searches by metadata",
			func(m *metrics.Metrics) {
				m.Searched(deletion.SearchNobody)
				m.Searched(deletion.SearchFilterIgnored)
				m.Searched("a word that nobody knows")
			},
			map[string]float64{
				`polar_bridge_metadata_searches_total{result="nobody"}`:         1,
				`polar_bridge_metadata_searches_total{result="filter_ignored"}`: 1,
			},
		},
		{
			"guards without a lookup",
			func(m *metrics.Metrics) { m.SetGuardsBlind([]deletion.HoldReason{deletion.HoldTeam}) },
			map[string]float64{`polar_bridge_guards_blind{guard="team"}`: 1},
		},
		{
			"guards with a lookup again",
			func(m *metrics.Metrics) { m.SetGuardsBlind(metrics.Guards()); m.SetGuardsBlind(nil) },
			map[string]float64{},
		},
		{
			"none waiting any more",
			func(m *metrics.Metrics) {
				m.SetOldestWaiting(time.Unix(1_700_000_000, 0))
				m.SetOldestWaiting(time.Time{})
			},
			map[string]float64{},
		},
		{
			"another pause replaces the first",
			func(m *metrics.Metrics) {
				m.SetPolarPaused(deletion.WaitRateLimited)
				m.SetPolarPaused(deletion.WaitOutage)
			},
			map[string]float64{`polar_bridge_polar_paused{reason="outage"}`: 1},
		},
		{
			"an operator's pause stands beside another",
			func(m *metrics.Metrics) {
				m.SetOperatorPaused(true)
				m.SetPolarPaused(deletion.WaitOutage)
				m.SetPolarPaused("")
			},
			map[string]float64{`polar_bridge_polar_paused{reason="operator"}`: 1},
		},
		{
			"pause is over",
			func(m *metrics.Metrics) { m.SetPolarPaused(deletion.WaitOutage); m.SetPolarPaused("") },
			map[string]float64{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, reg := newMetrics(t)
			tt.do(m)
			require.Equal(t, tt.want, changed(t, reg))
		})
	}
}

func TestPolarRequestBoundsTheCode(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"204": "204", "404": "404", "524": "524", "200": "2xx", "302": "3xx", "418": "4xx", "599": "5xx", "101": "1xx",
		"2xx": "2xx", "error": "error", "": "error", "600": "error", "99": "error", "-404": "error", "timeout": "error",
	}
	for code, want := range tests {
		m, reg := newMetrics(t)
		m.PolarRequest(polar.OperationDelete, code, time.Second)
		name := fmt.Sprintf(`polar_bridge_polar_request_duration_seconds{code=%q,operation="delete_customer"}`, want)
		require.Equal(t, map[string]float64{name: 1}, changed(t, reg), code)
	}
}

func TestRegistryHasGoAndProcess(t *testing.T) {
	t.Parallel()
	reg := metrics.NewRegistry()
	metrics.New(reg, metrics.Options{Providers: []string{"clerk"}})
	got := series(t, reg)
	require.Contains(t, got, "go_goroutines{}")
	require.Contains(t, got, "process_open_fds{}")
	require.Contains(t, got, `polar_bridge_webhooks_total{outcome="not_found",provider="none"}`)
}
