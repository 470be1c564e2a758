package binding_test

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/binding"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

func newStore(t *testing.T, db *database.DB) *binding.Store {
	t.Helper()
	store, err := binding.NewStore(db.Main, db.SQL)
	require.NoError(t, err)
	return store
}

func TestTheBindingOfAPolar(t *testing.T) {
	t.Parallel()
	organization := func(id string) binding.Identity { return binding.Identity{Organization: id, Address: "https://api"} }
	address := func(a string) binding.Identity { return binding.Identity{Address: a} }
	stub := binding.Identity{Address: "http://127.0.0.1:1", Loopback: true}
	type step struct {
		this   binding.Identity
		id     int64
		active bool
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"the first organization is the active one", []step{{organization("a"), 1, true}, {organization("a"), 1, true}}},
		{"a second organization is not", []step{{organization("a"), 1, true}, {organization("b"), 2, false}, {organization("a"), 1, true}, {organization("b"), 2, false}}},
		{"an address stands in for the organization", []step{{address("https://api"), 1, true}, {organization("a"), 1, true}, {address("https://api"), 1, true}}},
		{"while none is known another address is another Polar", []step{{address("https://api"), 1, true}, {address("https://sandbox"), 2, false}}},
		{"also beside a known organization", []step{{organization("a"), 1, true}, {address("https://sandbox"), 2, false}, {address("https://api"), 1, true}}},
		{"one that is not known is the active one at its address", []step{{organization("a"), 1, true}, {organization("b"), 2, false}, {address("https://api"), 1, true}}},
		{"the organization that is known first has the address", []step{{address("https://api"), 1, true}, {organization("a"), 1, true}, {organization("b"), 2, false}}},
		{"a stub binds nothing", []step{{stub, 1, true}, {stub, 1, true}, {organization("a"), 1, true}}},
		{"a stub beside a bound database is another Polar", []step{{organization("a"), 1, true}, {stub, 2, false}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				store := newStore(t, db)
				for i, s := range tt.steps {
					found, err := store.Find(t.Context(), s.this, time.Now())
					require.NoError(t, err)
					require.Equal(t, s.id, found.ID, "step %d", i)
					require.Equal(t, s.active, found.Active, "step %d", i)
				}
			})
		})
	}
	t.Run("is the same for all who come at once, and one is active", func(t *testing.T) {
		t.Parallel()
		databasetest.Each(t, func(t *testing.T, db *database.DB) {
			store := newStore(t, db)
			var all sync.WaitGroup
			var mutex sync.Mutex
			byName := map[string]map[binding.Binding]int{}
			for i := range 8 {
				all.Go(func() {
					name := []string{"a", "b"}[i%2]
					found, err := store.Find(t.Context(), organization(name), time.Now())
					if err != nil {
						t.Error(err)
						return
					}
					mutex.Lock()
					defer mutex.Unlock()
					if byName[name] == nil {
						byName[name] = map[binding.Binding]int{}
					}
					byName[name][found]++
				})
			}
			all.Wait()
			active := 0
			for _, found := range byName {
				require.Len(t, found, 1)
				for b := range found {
					if b.Active {
						active++
						require.EqualValues(t, 1, b.ID)
					}
				}
			}
			require.Equal(t, 1, active)
		})
	})
}
