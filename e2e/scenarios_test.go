package e2e_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// scenarios are what the chaos test lets happen.
func scenarios(t *testing.T) []*scenario {
	t.Helper()
	all := []*scenario{
		{name: "kills on SQLite", database: databasetest.SQLite(t), killEvery: 1},
		{name: "kills on Postgres", database: databasetest.Postgres(t), killEvery: 1},
		{name: "kills of two replicas", database: databasetest.Postgres(t), replicas: 2, killEvery: 1},
		{name: "storm of repeats", database: databasetest.SQLite(t), burst: 100, repeats: 0.9, killEvery: 7},
		databaseRestart(t), clockStep(t), revokedToken(t),
	}
	if os.Geteuid() == 0 {
		all = append(all, fullDisk(t))
	} else {
		t.Log("no full disk: only root may mount a small file system")
	}
	for _, fault := range []struct {
		name   string
		begin  func(*testing.T, *environment)
		atMost int
	}{
		{"outage", faulty(polartest.Gateway(503)), 1},
		{"no answer", faulty(polartest.Hang()), 1},
		{"internal error", faulty(polartest.InternalError()), 1},
		{"429", faulty(polartest.RateLimited(2 * time.Second)), 2}, // four in flight, every two seconds
		{"HTML error", faulty(polartest.Challenge()), 1},
		{"HTML page", faulty(polartest.HTMLPage()), 1},
		{"redirect", faulty(polartest.Redirect("https://elsewhere.invalid/")), 1},
		{"route missing", faulty(polartest.RouteMissing()), 1},
		{"version removed", faulty(polartest.VersionRemoved()), 1},
		{"cut answers", faulty(polartest.Truncated()), 0},
		{"reset before commit", faulty(polartest.ResetBeforeCommit()), 1},
		{"reset after commit", faultyDeletes(polartest.ResetAfterCommit()), 1},
		{"slow", faulty(polartest.Slow(300 * time.Millisecond)), 0},
		{"flapping", func(_ *testing.T, env *environment) { env.polar.SetFaultFunc(flapping()) }, 0},
	} {
		all = append(all, &scenario{
			name: fault.name, database: databasetest.SQLite(t), killEvery: 10,
			begin: fault.begin, end: repaired, atMost: fault.atMost,
		})
	}
	return all
}

func databaseRestart(t *testing.T) *scenario {
	t.Helper()
	server := databasetest.NewServer(t)
	return &scenario{
		name: "Postgres away", database: server.URL(),
		begin: func(t *testing.T, _ *environment) { t.Helper(); server.Stop(t) },
		end:   func(t *testing.T, _ *environment) { t.Helper(); server.Start(t) },
	}
}

func fullDisk(t *testing.T) *scenario {
	t.Helper()
	disk := smallDisk(t, 8)
	return &scenario{
		name: "full disk", database: "sqlite:" + filepath.Join(disk, "polar-bridge.db"),
		begin: func(t *testing.T, _ *environment) { t.Helper(); fill(t, disk) },
		end: func(t *testing.T, _ *environment) {
			t.Helper()
			if err := os.Remove(filepath.Join(disk, "ballast")); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func clockStep(t *testing.T) *scenario {
	t.Helper()
	by := func(d time.Duration) func(*testing.T, *environment) {
		return func(t *testing.T, env *environment) {
			t.Helper()
			step(t, sqliteFile(env.database), d)
		}
	}
	return &scenario{name: "clock step", database: databasetest.SQLite(t), killEvery: 10, begin: by(time.Hour), end: by(-time.Hour)}
}

func revokedToken(t *testing.T) *scenario {
	t.Helper()
	return &scenario{
		name: "token revoked", database: databasetest.SQLite(t), killEvery: 10, atMost: 1,
		begin: func(_ *testing.T, env *environment) { env.polar.RevokeToken(polarToken) },
		end:   func(_ *testing.T, env *environment) { env.polar.AllowToken(polarToken, polartest.TokenFull) },
	}
}
