package slots_test

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/slots"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// clock is a clock that tests move by hand.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time        { return time.UnixMicro(c.at.Load()) }
func (c *clock) step(d time.Duration)  { c.at.Add(d.Microseconds()) }
func ok(t *testing.T, err error)       { t.Helper(); require.NoError(t, err) }
func reason(t *testing.T, e error) any { t.Helper(); require.Error(t, e); return fault.ReasonOf(e) }
func impatient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func limiter(t *testing.T, db *database.DB, c *clock, perMinute int) *slots.Limiter {
	t.Helper()
	l, err := slots.New(t.Context(), slots.Options{DB: db.Main, Reader: db.Reader, Now: c.now, Name: "polar", PerMinute: perMinute})
	require.NoError(t, err)
	return l
}

type answered = func(ctx context.Context, pause string, wait time.Duration) error

// take takes a slot that must be free.
func take(t *testing.T, l *slots.Limiter) answered {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // shorter than any pause in these tests
	defer cancel()
	done, err := l.Take(ctx, 1)
	require.NoError(t, err)
	return done
}

// refused asks for a slot that must not be free.
func refused(t *testing.T, l *slots.Limiter) {
	t.Helper()
	_, err := l.Take(impatient(t), 1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestABurstThenEvenlySpaced(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		l := limiter(t, db, c, 60)
		for range slots.Burst {
			take(t, l)
		}
		refused(t, l)
		for range 3 {
			c.step(time.Second)
			take(t, l)
			refused(t, l)
		}
		c.step(time.Hour)
		for range slots.Burst {
			take(t, l)
		}
		refused(t, l)
	})
}

func TestReplicasShareOneRate(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		first, second := limiter(t, db, c, 60), limiter(t, db, c, 60)
		for range slots.Burst / 2 {
			take(t, first)
			take(t, second)
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
			inFlight := take(t, second)
			ok(t, take(t, first)(t.Context(), fault.PauseRateLimited, 8*time.Second))
			refused(t, first)
			refused(t, second)

			ok(t, inFlight(t.Context(), "", 0))
			refused(t, second) // an answer to an older request does not end the pause

			why, err := first.Paused(t.Context())
			require.NoError(t, err)
			require.Equal(t, fault.PauseRateLimited, why)

			c.step(8 * time.Second)
			take(t, first)
			take(t, second) // no probing: all go on
			why, err = first.Paused(t.Context())
			require.NoError(t, err)
			require.Empty(t, why)
		}
	})
}

func TestAPauseThatNobodyTriesToEndIsOver(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		for _, reason := range []string{fault.PauseUnauthorized, fault.PauseUnexpected} {
			c := newClock()
			first, second := limiter(t, db, c, 0), limiter(t, db, c, 0)
			why := func() string {
				t.Helper()
				one, err := first.Paused(t.Context())
				require.NoError(t, err)
				other, err := second.Paused(t.Context())
				require.NoError(t, err)
				require.Equal(t, one, other)
				return one
			}
			ok(t, take(t, first)(t.Context(), reason, time.Minute))
			require.Equal(t, reason, why())
			c.step(time.Minute + 29*time.Second)
			require.Equal(t, reason, why(), "whoever waits for its end takes a moment")

			// While somebody comes every minute the pause never seems to end.
			probe := take(t, second)
			require.Equal(t, reason, why())
			c.step(5 * time.Second)
			ok(t, probe(t.Context(), reason, time.Minute))
			require.Equal(t, reason, why())

			c.step(time.Minute + 31*time.Second)
			require.Empty(t, why(), "nobody is kept waiting")
			probe = take(t, first)
			refused(t, second) // the first request still goes alone
			require.Equal(t, reason, why())
			ok(t, probe(t.Context(), "", 0))
			require.Empty(t, why())
		}
	})
}

func TestARequestUnderATakenSlotCountsToo(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		l := limiter(t, db, c, 60)
		for range slots.Burst / 2 {
			take(t, l)
			ok(t, l.Spend(t.Context()))
		}
		refused(t, l)
		for range slots.Burst {
			ok(t, l.Spend(t.Context()))
		}
		c.step(time.Second)
		take(t, l)
		refused(t, l) // requests beyond the burst delay the next by one interval at the most
	})
}

func TestAPauseThatNeedsMendingLetsOneProbeThroughAtATime(t *testing.T) {
	t.Parallel()
	for _, pause := range []string{fault.PauseUnauthorized, fault.PauseUnexpected} {
		t.Run(pause, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				c := newClock()
				first, second := limiter(t, db, c, 0), limiter(t, db, c, 0)
				ok(t, take(t, first)(t.Context(), pause, time.Minute))
				c.step(time.Minute - time.Second)
				refused(t, first)

				c.step(time.Second)
				probe := take(t, first)
				refused(t, first)
				refused(t, second)
				ok(t, probe(t.Context(), pause, time.Minute))
				refused(t, second)

				c.step(time.Minute)
				probe = take(t, second)
				refused(t, first)
				ok(t, probe(t.Context(), fault.PauseOutage, 0)) // a probe that fails mends nothing
				c.step(time.Minute - time.Second)
				refused(t, first)

				c.step(time.Second)
				probe = take(t, second)
				ok(t, probe(t.Context(), "", 0))
				take(t, first)
				take(t, second)
			})
		})
	}
}

func TestFailuresInARowOpenTheCircuitForAllReplicasAndASuccessClosesIt(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		first, second := limiter(t, db, c, 0), limiter(t, db, c, 0)
		calls := 0
		// Every replica calls and fails in its turn.
		fail := func() {
			ok(t, take(t, []*slots.Limiter{first, second}[calls%2])(t.Context(), fault.PauseOutage, 0))
			calls++
		}
		for range 4 {
			fail()
		}
		ok(t, take(t, second)(t.Context(), "", 0)) // not in a row any more
		for range 5 {
			fail()
		}
		for _, l := range []*slots.Limiter{first, second} {
			why, err := l.Paused(t.Context())
			require.NoError(t, err)
			require.Equal(t, fault.PauseOutage, why)
		}

		for _, gap := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
			c.step(gap - time.Millisecond)
			refused(t, first)
			refused(t, second)
			c.step(time.Millisecond)
			fail()
		}
		c.step(30 * time.Second)
		probe := take(t, first)
		refused(t, second) // one at a time
		ok(t, probe(t.Context(), "", 0))
		take(t, first)
		take(t, second)
	})
}

func TestAProbeOfWhichNothingIsHeardIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		l := limiter(t, db, c, 0)
		ok(t, take(t, l)(t.Context(), fault.PauseUnauthorized, time.Minute))
		c.step(time.Minute)
		take(t, l)
		c.step(14 * time.Second)
		refused(t, l)
		c.step(time.Second)
		take(t, l)
	})
}

func TestAFailureDoesNotShortenALongerPause(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		l := limiter(t, db, c, 0)
		inFlight := []answered{take(t, l), take(t, l), take(t, l), take(t, l), take(t, l)}
		ok(t, take(t, l)(t.Context(), fault.PauseRateLimited, time.Minute))
		for _, failed := range inFlight {
			ok(t, failed(t.Context(), fault.PauseOutage, 0))
		}
		c.step(59 * time.Second)
		refused(t, l)
		c.step(time.Second)
		take(t, l)
	})
}

func TestAClockThatStepsBackDoesNotStopTheLimiter(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		l := limiter(t, db, c, 60)
		for range slots.Burst {
			take(t, l)
		}
		ok(t, take1(t, l, c)(t.Context(), fault.PauseRateLimited, slots.MaxPause))
		c.step(-time.Hour)
		take(t, l)
	})
}

func take1(t *testing.T, l *slots.Limiter, c *clock) answered {
	t.Helper()
	c.step(time.Second)
	return take(t, l)
}

func TestPausesAreBounded(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.SQLite(t))
	c := newClock()
	l := limiter(t, db, c, 0)
	ok(t, take(t, l)(t.Context(), fault.PauseRateLimited, 24*time.Hour))
	c.step(slots.MaxPause)
	take(t, l)
}

func TestThePostgresClockIsTheServers(t *testing.T) {
	t.Parallel()
	db := databasetest.OpenMigrated(t, databasetest.Postgres(t))
	l, err := slots.New(t.Context(), slots.Options{
		DB: db.Main, Reader: db.Reader, ServerClock: true, Name: "polar", PerMinute: 600,
		Now: func() time.Time { t.Error("the process's clock was asked"); return time.Time{} },
	})
	require.NoError(t, err)
	start := time.Now()
	for range slots.Burst + 5 {
		done, err := l.Take(t.Context(), 1)
		require.NoError(t, err)
		ok(t, done(t.Context(), "", 0))
	}
	require.GreaterOrEqual(t, time.Since(start), 450*time.Millisecond)
}
