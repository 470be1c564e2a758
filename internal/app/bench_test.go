package app_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

const (
	token    = "polar_oat_0123456789"
	clerkKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// BenchmarkAcknowledge is how many webhooks a second are on disk and answered
// 202, over 64 connections, with and without the group commit. Deletions run
// beside it at the default limit.
func BenchmarkAcknowledge(b *testing.B) {
	for name, batch := range map[string]int{"group-commit": 0, "one-by-one": 1} {
		b.Run(name, func(b *testing.B) {
			url := serve(b, batch)
			requests := signed(b, b.N)
			const connections = 64
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
			defer client.CloseIdleConnections()
			var next atomic.Int64
			var senders sync.WaitGroup
			b.ResetTimer()
			for range connections {
				senders.Go(func() {
					for {
						i := int(next.Add(1)) - 1
						if i >= len(requests) {
							return
						}
						post(b, client, url, requests[i])
					}
				})
			}
			senders.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "202/s")
		})
	}
}

type request struct {
	header http.Header
	body   []byte
}

func signed(b *testing.B, n int) []request {
	b.Helper()
	entry, ok := provider.All(provider.Options{Now: time.Now}).Lookup("clerk")
	require.True(b, ok)
	requests := make([]request, n)
	for i := range requests {
		header, body, err := entry.Sample(clerkKey, provider.Sample{
			ExternalID: fmt.Sprint("user_", i), EventID: fmt.Sprint("msg_", i), Time: time.Now(),
		})
		require.NoError(b, err)
		requests[i] = request{header, body}
	}
	return requests
}

func post(b *testing.B, client *http.Client, url string, r request) {
	b.Helper()
	out, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(r.body))
	if err != nil {
		b.Error(err)
		return
	}
	out.Header = r.header
	response, err := client.Do(out)
	if err != nil {
		b.Error(err)
		return
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusAccepted {
		b.Errorf("%d %v", response.StatusCode, err)
	}
}

// serve runs the service on SQLite and returns the address of Clerk's route.
func serve(b *testing.B, batch int) string {
	b.Helper()
	environment := map[string]string{
		"POLAR_ACCESS_TOKEN": token, "POLAR_BASE_URL": polartest.Start(b, polartest.Options{Token: token}).URL().String(),
		"CLERK_WEBHOOK_SIGNING_SECRET": clerkKey, "DATABASE_URL": databasetest.SQLite(b), "LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0",
	}
	all, err := settings.Read(config.Env{Getenv: func(name string) string { return environment[name] }}, provider.Options{Now: time.Now})
	require.NoError(b, err)
	service, err := app.New(b.Context(), app.Options{Settings: all, Logger: zap.NewNop(), Now: time.Now, BatchSize: batch})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		require.NoError(b, <-done)
	})
	return "http://" + service.PublicAddr().String() + "/webhooks/clerk"
}
