package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/directory/directorytest"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// freeLimiter gives a permit whenever it is asked and records what it is told.
type freeLimiter struct {
	mutex    sync.Mutex
	acquired int
	// pauses counts the reasons why all calls had to stop, "" when they had not.
	pauses map[string]int
}

func (f *freeLimiter) Acquire(_ context.Context, requests int) (deletion.Permit, deletion.Decision) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.acquired += requests
	return permit{f}, nil
}

type permit struct{ limiter *freeLimiter }

func (p permit) Report(_ context.Context, d deletion.Decision) error {
	p.limiter.mutex.Lock()
	defer p.limiter.mutex.Unlock()
	if p.limiter.pauses == nil {
		p.limiter.pauses = map[string]int{}
	}
	p.limiter.pauses[pauseOf(d)]++
	return nil
}

// pauseOf is why the decision stops all calls, "" when it does not.
func pauseOf(d deletion.Decision) string {
	switch d := d.(type) {
	case deletion.Wait:
		if d.Everybody {
			return string(d.Reason)
		}
	case deletion.Retry:
		if d.Outage {
			return string(deletion.WaitOutage)
		}
	}
	return ""
}

// keeper is a queue that keeps what it is told, once.
type keeper struct {
	kept map[string]deletion.Deletion
	// left are those about whom somebody has decided, by external id.
	left  map[string]deletion.Standing
	fail  error
	blind error // of a look at who is left alone
}

func (k *keeper) LeftAlone(_ context.Context, deletions []deletion.Deletion) (map[string]deletion.Standing, error) {
	left := map[string]deletion.Standing{}
	for _, d := range deletions {
		if standing, known := k.left[d.ExternalID]; known {
			left[d.EventID] = standing
		}
	}
	return left, k.blind
}

func (k *keeper) Accept(_ context.Context, deletions []deletion.Deletion) (deletion.Receipt, error) {
	if k.fail != nil {
		return deletion.Receipt{}, k.fail
	}
	if k.kept == nil {
		k.kept = map[string]deletion.Deletion{}
	}
	var receipt deletion.Receipt
	for _, d := range deletions {
		if _, seen := k.kept[d.EventID]; seen {
			receipt.Duplicates++
			continue
		}
		k.kept[d.EventID] = d
		receipt.Accepted++
	}
	return receipt, nil
}

// clock is a clock that waits move.
type clock struct {
	mutex sync.Mutex
	at    time.Time
	waits []time.Duration
}

func (c *clock) now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.at
}

func (c *clock) wait(ctx context.Context, d time.Duration) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.at = c.at.Add(d)
	if d > 0 {
		c.waits = append(c.waits, d)
	}
	return ctx.Err()
}

// harness is a Polar, a Clerk and a database that outlive sweepers.
type harness struct {
	polar   *polartest.Server
	clerk   *directorytest.Clerk
	db      *database.DB
	limiter freeLimiter
	clock   clock
}

// start is when the tests' time begins; customers are older.
func start() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func newHarness(t *testing.T, db *database.DB) *harness {
	t.Helper()
	h := &harness{clerk: directorytest.StartClerk(t), db: db}
	h.clock.at = start()
	h.polar = polartest.Start(t, polartest.Options{Now: h.clock.now})
	return h
}

// sqlite returns a harness on SQLite, for what does not depend on the dialect.
func sqlite(t *testing.T) *harness {
	t.Helper()
	return newHarness(t, databasetest.OpenMigrated(t, databasetest.SQLite(t)))
}

func (h *harness) sweeper(t *testing.T, change ...func(*reconcile.Options)) *reconcile.Sweeper {
	t.Helper()
	api := directory.NewClient(directory.ClientOptions{Base: h.clerk.URL(), Timeout: 2 * time.Second, Now: h.clock.now})
	t.Cleanup(api.CloseIdleConnections)
	client := polar.New(polar.Options{
		BaseURL: h.polar.URL(), Token: func() string { return polartest.DefaultToken }, Timeout: 2 * time.Second, Now: h.clock.now,
	})
	t.Cleanup(client.CloseIdleConnections)
	o := reconcile.Options{
		DB: h.db.Main, SQL: h.db.SQL, Polar: client, Limiter: &h.limiter, Now: h.clock.now, Wait: h.clock.wait,
		Source: (&directory.Clerk{API: api, SecretKey: func() string { return directorytest.ClerkKey }}).Source(),
	}
	for _, c := range change {
		c(&o)
	}
	s, err := reconcile.New(o)
	require.NoError(t, err)
	return s
}

// userID is how the tests' users and customers are called.
func userID(i int) string { return fmt.Sprintf("user_%05d", i) }

// populate adds customers, of whom every so manyth has no user.
func (h *harness) populate(customers, goneEach int) (orphans []string) {
	for i := range customers {
		h.polar.AddCustomer(polartest.Customer{
			ExternalID: userID(i), CreatedAt: start().Add(-30*24*time.Hour + time.Duration(i)*time.Second), ActiveSubscriptions: i % 3,
		})
		if goneEach > 0 && i%goneEach == goneEach/2 {
			orphans = append(orphans, userID(i))
			continue
		}
		h.clerk.AddUser(userID(i))
	}
	return orphans
}

// limits are those of a default run.
func limits() reconcile.Limits { return reconcile.Limits{Share: 0.05} }

// collect is a finish that remembers the orphans.
func collect(into *[]reconcile.Orphan) func(context.Context, *reconcile.Found) error {
	return func(ctx context.Context, found *reconcile.Found) error {
		return found.Each(ctx, &keeper{}, func(o reconcile.Orphan) error {
			*into = append(*into, o)
			return nil
		})
	}
}

func externalIDs(orphans []reconcile.Orphan) []string {
	var ids []string
	for _, o := range orphans {
		ids = append(ids, o.ExternalID)
	}
	return ids
}

// apply is a finish that hands the orphans to a queue.
func apply(queue reconcile.Queue) func(context.Context, *reconcile.Found) error {
	return func(ctx context.Context, found *reconcile.Found) error {
		_, _, err := found.Apply(ctx, queue)
		return err
	}
}

func deleteAtPolar(t *testing.T, h *harness, id string) {
	t.Helper()
	base := h.polar.URL().String()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, base+"/v1/customers/external/"+id, http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+polartest.DefaultToken)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
}
