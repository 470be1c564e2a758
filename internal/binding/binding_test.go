package binding_test

import (
	"context"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/polar-bridge/polar-bridge/internal/binding"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// unlimited gives every permit.
type unlimited struct{}

func (unlimited) Acquire(context.Context, int) (deletion.Permit, deletion.Decision) { return nil, nil }

// harness is one process of an organization, by its token.
type harness struct {
	*binding.Gate

	polar *polartest.Server
	logs  *observer.ObservedLogs

	mutex sync.Mutex
	now   time.Time
	token string
}

func newHarness(t *testing.T, db *database.DB, organization string) *harness {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	h := &harness{
		polar: polartest.Start(t, polartest.Options{OrganizationID: organization, Token: "polar_oat_" + organization}), logs: logs,
		now: time.Now(), token: "polar_oat_" + organization,
	}
	h.polar.AddCustomer(polartest.Customer{ExternalID: "somebody"})
	h.Gate = h.gate(t, db, h.polar.URL(), zap.New(core))
	return h
}

func (h *harness) gate(t *testing.T, db *database.DB, base *url.URL, logger *zap.Logger) *binding.Gate {
	t.Helper()
	token := func() string { h.mutex.Lock(); defer h.mutex.Unlock(); return h.token }
	now := func() time.Time { h.mutex.Lock(); defer h.mutex.Unlock(); return h.now }
	return binding.New(binding.Options{
		Store: newStore(t, db), Limiter: unlimited{}, BaseURL: base, Token: token, Logger: logger, Now: now,
		Polar: polar.New(polar.Options{BaseURL: base, Token: token, Timeout: time.Second}),
	})
}

func (h *harness) later(d time.Duration) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.now = h.now.Add(d)
}

func (h *harness) rotate(token string) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.token = token
}

func (h *harness) requireOpen(t *testing.T, open bool) {
	t.Helper()
	require.NoError(t, h.Check(t.Context()))
	require.Equal(t, open, h.Open())
}

func TestTheGate(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) *database.DB {
		t.Helper()
		return databasetest.OpenMigrated(t, databasetest.SQLite(t))
	}
	t.Run("is shut before the first check", func(t *testing.T) {
		t.Parallel()
		require.False(t, newHarness(t, open(t), "a").Open())
	})
	t.Run("is open to the organization that came first, and says so to the other one", func(t *testing.T) {
		t.Parallel()
		db := open(t)
		first, second := newHarness(t, db, "a"), newHarness(t, db, "b")
		first.requireOpen(t, true)
		second.requireOpen(t, false)
		second.requireOpen(t, false)
		require.Len(t, second.logs.FilterLevelExact(zap.ErrorLevel).All(), 1)
		first.requireOpen(t, true)
		require.Zero(t, first.logs.Len())
	})
	t.Run("asks once an hour", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, open(t), "a")
		for range 3 {
			h.requireOpen(t, true)
		}
		require.Equal(t, 1, h.polar.Calls())
		h.later(time.Hour + time.Second)
		h.requireOpen(t, true)
		require.Equal(t, 2, h.polar.Calls())
	})
	t.Run("keeps what it knows while Polar is away, in either organization", func(t *testing.T) {
		t.Parallel()
		db := open(t)
		first, second := newHarness(t, db, "a"), newHarness(t, db, "b")
		first.requireOpen(t, true)
		second.requireOpen(t, false)
		for _, h := range []*harness{first, second} {
			h.polar.SetFault(polartest.Gateway(503))
			h.later(2 * time.Hour)
			h.requireOpen(t, h == first)
		}
	})
	t.Run("opens at a start while Polar is away, once the token was answered", func(t *testing.T) {
		t.Parallel()
		db := open(t)
		first := newHarness(t, db, "a")
		first.requireOpen(t, true)
		first.later(2 * time.Hour)
		first.polar.SetFault(polartest.Gateway(503))
		calls := first.polar.Calls()
		again := first.gate(t, db, first.polar.URL(), zap.NewNop())
		require.NoError(t, again.Begin(t.Context()))
		require.True(t, again.Open())
		require.Equal(t, calls, first.polar.Calls(), "nobody waits for Polar")
		require.NoError(t, again.Check(t.Context()))
		require.True(t, again.Open())
		require.Equal(t, calls+1, first.polar.Calls())
	})
	t.Run("stays shut at a start with another token while Polar is away, when the database belongs to an organization", func(t *testing.T) {
		t.Parallel()
		db := open(t)
		first := newHarness(t, db, "a")
		first.requireOpen(t, true)
		again := newHarness(t, db, "a")
		again.rotate("polar_oat_rotated")
		first.polar.AllowToken("polar_oat_rotated", polartest.TokenFull)
		again.Gate = again.gate(t, db, first.polar.URL(), zap.NewNop())
		first.polar.SetFault(polartest.Gateway(503))
		again.requireOpen(t, false)
		first.polar.ClearFaults()
		again.requireOpen(t, true)
	})
	t.Run("goes on with a Polar that has no list, and warns once", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, open(t), "a")
		h.polar.SetFault(polartest.RouteMissing())
		h.requireOpen(t, true)
		h.requireOpen(t, true)
		require.Len(t, h.logs.FilterLevelExact(zap.WarnLevel).All(), 1)
	})
	t.Run("shuts with a rotated token until Polar has answered it", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, open(t), "a")
		h.requireOpen(t, true)
		h.polar.AllowToken("polar_oat_rotated", polartest.TokenFull)
		h.rotate("polar_oat_rotated")
		require.False(t, h.Open())
		h.polar.SetFault(polartest.Gateway(503))
		h.requireOpen(t, false)
		h.polar.ClearFaults()
		h.requireOpen(t, true)
	})
	t.Run("shuts when a customer of another organization is seen, until Polar was asked", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, open(t), "a")
		h.requireOpen(t, true)
		require.True(t, h.Owns("a"))
		require.True(t, h.Owns(""), "Polar did not say")
		require.True(t, h.Open())
		require.False(t, h.Owns("b"))
		require.False(t, h.Owns("b"))
		require.False(t, h.Open())
		require.Len(t, h.logs.FilterLevelExact(zap.ErrorLevel).All(), 1)
		h.polar.SetFault(polartest.Gateway(503))
		h.requireOpen(t, false)
		h.polar.ClearFaults()
		calls := h.polar.Calls()
		h.requireOpen(t, true)
		require.Equal(t, calls+1, h.polar.Calls())
	})
	t.Run("asks nobody's organization while its address stands in for it", func(t *testing.T) {
		t.Parallel()
		h := newHarness(t, open(t), "a")
		h.polar.SetFault(polartest.RouteMissing())
		h.requireOpen(t, true)
		require.True(t, h.Owns("b"))
		require.True(t, h.Open())
	})
	t.Run("runs until it is told to stop", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		h := newHarness(t, open(t), "a")
		go func() { defer close(done); h.Run(ctx) }()
		cancel()
		<-done
	})
}
