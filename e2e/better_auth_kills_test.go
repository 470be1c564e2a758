package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// departure is a way in which a user is deleted. The set is closed.
type departure int

// The ways.
const (
	itself departure = iota
	removed
	plainSQL
	departures
)

// departureOf is that of the user with the number.
func departureOf(i int) departure { return departure(i) % departures }

// goes has the member deleted, and says whether that came to pass. What the auth
// database's absence cut off halfway has taken the session and the password, so that
// only the administrator can repeat it.
func (s *shop) goes(ctx context.Context, m *member, way departure) bool {
	for ctx.Err() == nil {
		switch way {
		case itself:
			s.leave(ctx, m)
			way = removed
		case plainSQL:
			_, _ = s.database.ExecContext(ctx, `DELETE FROM public."user" WHERE id = $1`, m.id) // it may be away
		case removed, departures:
			s.remove(ctx, m)
		}
		if !s.lives(ctx, m) {
			return true
		}
	}
	return false
}

// leaveWhile has all members deleted at once, and disturbs when a fifth is gone.
func (s *shop) leaveWhile(t *testing.T, members []*member, disturb func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var tried, gone atomic.Int64
	var leaving sync.WaitGroup
	fifth := make(chan struct{})
	for i, m := range members {
		leaving.Go(func() {
			if s.goes(ctx, m, departureOf(i)) {
				gone.Add(1)
			}
			if tried.Add(1) == int64(len(members)/5) {
				close(fifth)
			}
		})
	}
	<-fifth
	disturb()
	leaving.Wait()
	require.EqualValues(t, len(members), gone.Load(), s.output())
}

// Two hundred users are deleted by themselves, by the administrator and by SQL, while
// the bridge is killed three times and the auth database restarted once.
func TestBetterAuthWhileTheBridgeIsKilled(t *testing.T) {
	t.Parallel()
	const users, kills = 200, 3
	for _, way := range []string{byHook, byOutbox} {
		t.Run("by "+way, func(t *testing.T) {
			t.Parallel()
			auth := databasetest.NewServer(t)
			s := openShop(t, way, auth.URL())
			var leaving, living []*member
			for i := range users {
				leaving = append(leaving, s.signUp(t, fmt.Sprint("leaves-", i)))
				living = append(living, s.signUp(t, fmt.Sprint("lives-", i)))
			}
			p := s.start(t)
			rounds := slices.Collect(slices.Chunk(leaving, users/(kills+1)))
			s.leaveWhile(t, rounds[0], func() {
				auth.Stop(t)
				auth.Start(t)
			})
			for _, round := range rounds[1:] {
				s.leaveWhile(t, round, p.kill)
				p = s.start(t)
			}
			if way == byOutbox {
				s.database.requireEmptyOutbox(t)
			}
			require.Eventually(t, func() bool {
				return s.env.bridge(t, 0, "deletions", "list", "--state", "waiting", "--json") == ""
			}, 2*time.Minute, 100*time.Millisecond)
			lost := s.orphans(t)
			for _, m := range living {
				require.True(t, s.env.polar.Exists(m.id), "%s lives", m.email)
			}
			for _, m := range leaving {
				require.LessOrEqual(t, s.env.polar.Deleted(m.id), 1, m.email)
			}
			require.Len(t, s.env.polar.Customers(), users+len(lost)+1, "and the administrator")
			if way == byOutbox {
				require.Empty(t, lost)
				return
			}
			s.requireLost(t, lost, rounds)
		})
	}
}

// requireLost says what the hook lost.
func (s *shop) requireLost(t *testing.T, lost []string, rounds [][]*member) {
	t.Helper()
	bySQL, logged, users := 0, 0, 0
	for _, round := range rounds {
		for i, m := range round {
			users++
			if departureOf(i) == plainSQL {
				bySQL++
				require.Contains(t, lost, m.id, "nobody tells of it")
			}
			// The hook says so, too, where the bridge stored it and was killed before its answer.
			if slices.Contains(lost, m.id) && strings.Contains(s.output(), "polar-bridge was not told that user "+m.id+" is deleted") {
				logged++
			}
		}
	}
	require.Positive(t, logged)
	t.Logf("lost: %d of %d, all %d that were deleted by SQL, %d of the others, of whom %d are in the log",
		len(lost), users, bySQL, len(lost)-bySQL, logged)
}
