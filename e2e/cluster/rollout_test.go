//go:build cluster

package cluster_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// Together the senders post 40 events a second.
const (
	senders = 8
	each    = 200 * time.Millisecond
)

// result is what became of one event.
type result struct {
	id       string
	answered time.Time
	broken   string // why it was not accepted
}

// traffic is what was sent in all.
type traffic struct {
	url, key string
	polar    *polartest.Server

	mu      sync.Mutex
	results []result
}

// startPolar serves a local Polar with the certificate that the pods trust.
func startPolar(t *testing.T) *polartest.Server {
	t.Helper()
	polar := polartest.New(polartest.Options{Token: os.Getenv("POLAR_ACCESS_TOKEN")})
	server := &http.Server{Addr: ":8443", Handler: polar, ReadHeaderTimeout: time.Minute}
	pem := os.Getenv("CERTIFICATE")
	go func() { _ = server.ListenAndServeTLS(pem, pem) }() // always an error in the end
	t.Cleanup(func() { _ = server.Close() })
	return polar
}

// send posts the deletions of users who have a customer, one after the other over one
// connection that is kept open as long as the other end keeps it, until done is closed.
func (s *traffic) send(t *testing.T, name string, done <-chan struct{}) {
	t.Helper()
	// For a moment a Service leads to a pod that is gone, which never answers.
	dialer := net.Dialer{Timeout: time.Second}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: dialer.DialContext}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(each)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		r := result{id: fmt.Sprint("user_", name, "_", i)}
		s.polar.AddCustomer(polartest.Customer{ExternalID: r.id, CreatedAt: time.Now().Add(-time.Hour)})
		r.broken = s.post(t, client, r.id)
		r.answered = time.Now()
		s.mu.Lock()
		s.results = append(s.results, r)
		s.mu.Unlock()
	}
}

// post sends one event and returns why it was not accepted. Without GetBody the client
// cannot repeat it.
func (s *traffic) post(t *testing.T, client *http.Client, id string) string {
	t.Helper()
	clerk, _ := provider.All(provider.Options{Now: time.Now}).Lookup("clerk")
	header, body, err := clerk.Sample(s.key, provider.Sample{ExternalID: id, EventID: "msg_" + id, Time: time.Now()})
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/webhooks/clerk", bytes.NewReader(body))
	require.NoError(t, err)
	request.Header, request.GetBody = header, nil
	response, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusAccepted {
		return fmt.Sprint(response.Status, " ", string(text), " ", err)
	}
	return ""
}

// outage is the longest time without an accepted event.
func outage(results []result) (longest time.Duration) {
	last := results[0].answered
	for _, r := range results {
		longest = max(longest, r.answered.Sub(last))
		if r.broken == "" {
			last = r.answered
		}
	}
	return longest.Round(time.Millisecond)
}

// judge waits for the DELETE of each event that was accepted and returns how many there
// were for each user, and how many events were not accepted, by reason.
func (s *traffic) judge(t *testing.T) (calls, broken map[string]int) {
	t.Helper()
	calls, broken = map[string]int{}, map[string]int{}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for _, r := range s.results {
		if r.broken != "" {
			broken[r.broken]++
			continue
		}
		require.NoError(t, s.polar.WaitForDeleted(ctx, r.id), "%s was accepted and not deleted", r.id)
	}
	for _, call := range s.polar.Journal() {
		if call.Operation == polartest.OperationDelete {
			calls[call.ExternalID]++
		}
	}
	return calls, broken
}

// Whatever is accepted while pods are replaced is deleted by one DELETE; and nothing is
// refused for longer than MAX_OUTAGE, with 0s nothing at all.
func TestEachEventOfARolloutIsOneDeletion(t *testing.T) {
	t.Parallel()
	most, err := time.ParseDuration(os.Getenv("MAX_OUTAGE"))
	require.NoError(t, err)
	s := &traffic{url: os.Getenv("SERVICE"), key: os.Getenv("CLERK_WEBHOOK_SIGNING_SECRET"), polar: startPolar(t)}
	over, run := make(chan struct{}), rand.Text()
	var load sync.WaitGroup
	for i := range senders {
		load.Go(func() { s.send(t, fmt.Sprint(run, i), over) })
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	require.NoError(t, err)
	close(over)
	load.Wait()

	require.NotEmpty(t, s.results)
	slices.SortFunc(s.results, func(a, b result) int { return a.answered.Compare(b.answered) })
	calls, broken := s.judge(t)
	t.Logf("%d events, not accepted: %v; %d deleted; %s without an accepted event", len(s.results), broken, len(calls), outage(s.results))
	for id, n := range calls {
		require.Equal(t, 1, n, "DELETEs of %s", id)
	}
	if most == 0 {
		require.Empty(t, broken)
	} else {
		require.Less(t, outage(s.results), most)
	}
}
