package polartest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestJournalIsBounded(t *testing.T) {
	t.Parallel()
	server := polartest.New(polartest.Options{JournalLimit: 3})
	for i := range 20 {
		serve(server, fmt.Sprintf("u%d", i))
		require.LessOrEqual(t, len(server.Journal()), 3)
	}
	require.Equal(t, 20, server.Calls())
	entries := server.Journal()
	require.Len(t, entries, 3)
	require.Equal(t, 18, entries[0].Seq)
	require.Equal(t, "u19", entries[2].ExternalID)
}

func TestOnDeleteHearsFinishedDeletions(t *testing.T) {
	t.Parallel()
	server := polartest.New(polartest.Options{})
	server.AddCustomer(polartest.Customer{ExternalID: "u"})
	var heard []int
	server.OnDelete(func(entry polartest.Entry) {
		heard = append(heard, entry.Status)
		require.Equal(t, entry, server.Journal()[entry.Seq-1]) // the hook may ask the server
	})
	serve(server, "u")
	serve(server, "u")
	server.OnDelete(nil)
	serve(server, "u")
	require.Equal(t, []int{204, 404}, heard)
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	server := polartest.New(polartest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, server.WaitForCalls(ctx, 1), context.Canceled)
	require.ErrorIs(t, server.WaitForDeleted(ctx, "u"), context.Canceled)
	require.NoError(t, server.WaitForCalls(t.Context(), 0))
}

func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	const workers, each = 16, 50
	server := polartest.New(polartest.Options{})
	for i := range workers * each {
		server.AddCustomer(polartest.Customer{ExternalID: fmt.Sprintf("u%d", i)})
	}
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for i := range each {
				id := fmt.Sprintf("u%d", worker*each+i)
				serve(server, id)
				server.AddCustomer(polartest.Customer{ExternalID: "new-" + id})
				_ = server.Journal()
			}
		})
	}
	require.NoError(t, server.WaitForCalls(t.Context(), workers*each))
	group.Wait()
	require.NoError(t, server.WaitForDeleted(t.Context(), "u0"))
	for i := range workers * each {
		require.Equal(t, 1, server.Deleted(fmt.Sprintf("u%d", i)))
	}
	require.Len(t, server.Customers(), workers*each)
}

// serve makes one DELETE without a network.
func serve(server *polartest.Server, id string) {
	request := httptest.NewRequest(http.MethodDelete, external+id, http.NoBody)
	request.Header.Set("Authorization", "Bearer "+polartest.DefaultToken)
	server.ServeHTTP(httptest.NewRecorder(), request)
}

func BenchmarkDelete(b *testing.B) {
	server := polartest.New(polartest.Options{JournalLimit: 1000})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			serve(server, "u")
		}
	})
}

func BenchmarkDeleteOverHTTP(b *testing.B) {
	server := polartest.Start(b, polartest.Options{JournalLimit: 1000})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			request, err := http.NewRequestWithContext(b.Context(), http.MethodDelete, server.URL().String()+external+"u", http.NoBody)
			if err != nil {
				b.Error(err)
				return
			}
			request.Header.Set("Authorization", "Bearer "+polartest.DefaultToken)
			response, err := client.Do(request)
			if err != nil {
				b.Error(err)
				return
			}
			_ = response.Body.Close()
		}
	})
}
