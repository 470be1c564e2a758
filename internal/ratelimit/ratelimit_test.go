package ratelimit_test

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// clock is a clock that tests move by hand.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time       { return time.UnixMicro(c.at.Load()) }
func (c *clock) step(d time.Duration) { c.at.Add(d.Microseconds()) }
func ok(t *testing.T, err error)      { t.Helper(); require.NoError(t, err) }

// soon is a context that ends soon.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// pause is the decision to send nothing for so long.
func pause(reason deletion.WaitReason, d time.Duration) deletion.Decision {
	return deletion.Wait{Reason: reason, For: d, Everybody: true}
}

func outage() deletion.Decision {
	return deletion.Retry{Reason: deletion.RetryServerError, Outage: true}
}

func success() deletion.Decision { return deletion.Done{Outcome: deletion.OutcomeDeleted} }

func limiter(t *testing.T, db *database.DB, c *clock, perMinute int) *ratelimit.Limiter {
	t.Helper()
	l, err := ratelimit.New(t.Context(), ratelimit.Options{DB: db.Main, Reader: db.Reader, SQL: db.SQL, ProcessClock: true, Now: c.now, Name: "polar", PerMinute: perMinute})
	require.NoError(t, err)
	return l
}

// as is the decision as one of that type, which it must be.
func as[D deletion.Decision](t *testing.T, decision deletion.Decision) D {
	t.Helper()
	want, ok := decision.(D)
	require.True(t, ok, "%#v", decision)
	return want
}

// acquire acquires a permit that must be due.
func acquire(t *testing.T, l *ratelimit.Limiter) deletion.Permit {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // no pause ends meanwhile: the clock stands still
	defer cancel()
	permit, decision := l.Acquire(ctx, 1)
	require.Nil(t, decision)
	require.NotNil(t, permit)
	return permit
}

// refused asks for a permit that must not be due.
func refused(t *testing.T, l *ratelimit.Limiter) {
	t.Helper()
	_, decision := l.Acquire(soon(t), 1)
	requireStillWaiting(t, decision)
}

// requireStillWaiting requires that the decision is that of somebody who waited
// until their context ended.
func requireStillWaiting(t *testing.T, decision deletion.Decision) {
	t.Helper()
	require.Equal(t, deletion.WaitStopping, as[deletion.Wait](t, decision).Reason)
}

func TestABurstThenEvenlySpaced(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		l := limiter(t, db, c, 60)
		for range ratelimit.Burst {
			acquire(t, l)
		}
		refused(t, l)
		for range 3 {
			c.step(time.Second)
			acquire(t, l)
			refused(t, l)
		}
		c.step(time.Hour)
		for range ratelimit.Burst {
			acquire(t, l)
		}
		refused(t, l)
	})
}

func TestReplicasShareOneRate(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		first, second := limiter(t, db, c, 60), limiter(t, db, c, 60)
		for range ratelimit.Burst / 2 {
			acquire(t, first)
			acquire(t, second)
		}
		refused(t, first)
		refused(t, second)
	})
}

func TestARateLimitAnswerStopsEverybodyUntilItIsOver(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		for _, perMinute := range []int{0, 6000} {
			c := newClock()
			first, second := limiter(t, db, c, perMinute), limiter(t, db, c, perMinute)
			inFlight := acquire(t, second)
			ok(t, acquire(t, first).Report(t.Context(), pause(deletion.WaitRateLimited, 8*time.Second)))
			refused(t, first)
			refused(t, second)

			ok(t, inFlight.Report(t.Context(), success()))
			refused(t, second) // an answer to an older request does not end the pause

			why, _, err := first.Pause(t.Context())
			require.NoError(t, err)
			require.Equal(t, deletion.WaitRateLimited, why)

			c.step(8 * time.Second)
			acquire(t, first)
			acquire(t, second) // no probing: all go on
			why, _, err = first.Pause(t.Context())
			require.NoError(t, err)
			require.Empty(t, why)
		}
	})
}

func TestAPauseThatNobodyTriesToEndIsOver(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		for _, reason := range []deletion.WaitReason{deletion.WaitUnauthorized, deletion.WaitUnexpected} {
			c := newClock()
			first, second := limiter(t, db, c, 0), limiter(t, db, c, 0)
			why := func() deletion.WaitReason {
				t.Helper()
				one, _, err := first.Pause(t.Context())
				require.NoError(t, err)
				other, _, err := second.Pause(t.Context())
				require.NoError(t, err)
				require.Equal(t, one, other)
				return one
			}
			ok(t, acquire(t, first).Report(t.Context(), pause(reason, time.Minute)))
			require.Equal(t, reason, why())
			c.step(time.Minute + 29*time.Second)
			require.Equal(t, reason, why(), "whoever waits for its end takes a moment")

			// While somebody comes every minute the pause never seems to end.
			probe := acquire(t, second)
			require.Equal(t, reason, why())
			c.step(5 * time.Second)
			ok(t, probe.Report(t.Context(), pause(reason, time.Minute)))
			require.Equal(t, reason, why())

			c.step(time.Minute + 31*time.Second)
			require.Empty(t, why(), "nobody is kept waiting")
			probe = acquire(t, first)
			refused(t, second) // the first request still goes alone
			require.Equal(t, reason, why())
			ok(t, probe.Report(t.Context(), success()))
			require.Empty(t, why())
		}
	})
}

func TestAFurtherRequestUnderAPermitCountsToo(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		l := limiter(t, db, c, 60)
		for range ratelimit.Burst / 2 {
			acquire(t, l)
			ok(t, l.Charge(t.Context()))
		}
		refused(t, l)
		for range ratelimit.Burst {
			ok(t, l.Charge(t.Context()))
		}
		c.step(time.Second)
		acquire(t, l)
		refused(t, l) // requests beyond the burst delay the next by one interval at the most
	})
}

func TestAPauseThatAnOperatorHasToEndLetsOneProbeThroughAtATime(t *testing.T) {
	t.Parallel()
	for _, reason := range []deletion.WaitReason{deletion.WaitUnauthorized, deletion.WaitUnexpected} {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				c := newClock()
				first, second := limiter(t, db, c, 0), limiter(t, db, c, 0)
				ok(t, acquire(t, first).Report(t.Context(), pause(reason, time.Minute)))
				c.step(time.Minute - time.Second)
				refused(t, first)

				c.step(time.Second)
				probe := acquire(t, first)
				refused(t, first)
				refused(t, second)
				ok(t, probe.Report(t.Context(), pause(reason, time.Minute)))
				refused(t, second)

				c.step(time.Minute)
				probe = acquire(t, second)
				refused(t, first)
				ok(t, probe.Report(t.Context(), outage())) // a probe that fails ends nothing
				c.step(time.Minute - time.Second)
				refused(t, first)

				c.step(time.Second)
				probe = acquire(t, second)
				ok(t, probe.Report(t.Context(), success()))
				acquire(t, first)
				acquire(t, second)
			})
		})
	}
}

func TestFailuresInARowOpenTheCircuitBreakerForAllReplicasAndASuccessClosesIt(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		first, second := limiter(t, db, c, 0), limiter(t, db, c, 0)
		calls := 0
		// Every replica calls and fails in its turn.
		fail := func() {
			ok(t, acquire(t, []*ratelimit.Limiter{first, second}[calls%2]).Report(t.Context(), outage()))
			calls++
		}
		for range 4 {
			fail()
		}
		ok(t, acquire(t, second).Report(t.Context(), success())) // not in a row any more
		for range 5 {
			fail()
		}
		for _, l := range []*ratelimit.Limiter{first, second} {
			why, _, err := l.Pause(t.Context())
			require.NoError(t, err)
			require.Equal(t, deletion.WaitOutage, why)
		}

		for _, gap := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
			c.step(gap - time.Millisecond)
			refused(t, first)
			refused(t, second)
			c.step(time.Millisecond)
			fail()
		}
		c.step(30 * time.Second)
		probe := acquire(t, first)
		refused(t, second) // one at a time
		ok(t, probe.Report(t.Context(), success()))
		acquire(t, first)
		acquire(t, second)
	})
}

func TestWhatFailsTogetherIsOneOutage(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		l := limiter(t, db, c, 0)
		var underWay []deletion.Permit
		for range 16 {
			underWay = append(underWay, acquire(t, l))
		}
		for _, failed := range underWay {
			ok(t, failed.Report(t.Context(), outage()))
		}
		for _, gap := range []time.Duration{time.Second, 2 * time.Second} {
			c.step(gap - time.Millisecond)
			refused(t, l)
			c.step(time.Millisecond)
			ok(t, acquire(t, l).Report(t.Context(), outage()))
		}
	})
}

func TestAProbeOfWhichNothingIsHeardIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		l := limiter(t, db, c, 0)
		ok(t, acquire(t, l).Report(t.Context(), pause(deletion.WaitUnauthorized, time.Minute)))
		c.step(time.Minute)
		acquire(t, l)
		c.step(14 * time.Second)
		refused(t, l)
		c.step(time.Second)
		acquire(t, l)
	})
}

func TestAFailureDoesNotShortenALongerPause(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		l := limiter(t, db, c, 0)
		inFlight := []deletion.Permit{acquire(t, l), acquire(t, l), acquire(t, l), acquire(t, l), acquire(t, l)}
		ok(t, acquire(t, l).Report(t.Context(), pause(deletion.WaitRateLimited, time.Minute)))
		for _, failed := range inFlight {
			ok(t, failed.Report(t.Context(), outage()))
		}
		c.step(59 * time.Second)
		refused(t, l)
		c.step(time.Second)
		acquire(t, l)
	})
}

func TestAClockThatStepsBackDoesNotStopTheLimiter(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		l := limiter(t, db, c, 60)
		for range ratelimit.Burst {
			acquire(t, l)
		}
		ok(t, acquireLater(t, l, c).Report(t.Context(), pause(deletion.WaitRateLimited, ratelimit.MaxPause)))
		c.step(-time.Hour)
		acquire(t, l)
	})
}

func acquireLater(t *testing.T, l *ratelimit.Limiter, c *clock) deletion.Permit {
	t.Helper()
	c.step(time.Second)
	return acquire(t, l)
}

func TestPausesAreBounded(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	c := newClock()
	l := limiter(t, db, c, 0)
	ok(t, acquire(t, l).Report(t.Context(), pause(deletion.WaitRateLimited, 24*time.Hour)))
	c.step(ratelimit.MaxPause)
	acquire(t, l)
}

func TestThePostgresClockIsTheServers(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.Postgres(t))
	l, err := ratelimit.New(t.Context(), ratelimit.Options{
		DB: db.Main, Reader: db.Reader, SQL: db.SQL, Name: "polar", PerMinute: 600,
		Now: func() time.Time { t.Error("the process's clock was asked"); return time.Time{} },
	})
	require.NoError(t, err)
	start := time.Now()
	for range ratelimit.Burst + 5 {
		permit, decision := l.Acquire(t.Context(), 1)
		require.Nil(t, decision)
		ok(t, permit.Report(t.Context(), success()))
	}
	require.GreaterOrEqual(t, time.Since(start), 450*time.Millisecond)
}
