package handlers_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

func TestAcknowledgement(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		delivery deletion.Delivery
		receipt  deletion.Receipt
		status   int
		body     string
		counted  map[string]int
	}{
		{
			"new deletion", one(),
			deletion.Receipt{Accepted: 1},
			202,
			acknowledged("accepted", 1, 0, 0),
			map[string]int{"webhooks_total{accepted,clerk}": 1, "events_total{accepted,clerk}": 1},
		},
		{
			"deletion that is held at once", one(),
			deletion.Receipt{Accepted: 1, Held: 1},
			202,
			acknowledged("accepted", 1, 0, 0),
			map[string]int{"webhooks_total{accepted,clerk}": 1, "events_total{held,clerk}": 1},
		},
		{
			"batch with everything",
			deletion.Delivery{Deletions: make([]deletion.Deletion, 9), Ignored: 4, IgnoreReason: deletion.IgnoreOtherType},
			deletion.Receipt{Accepted: 5, Held: 2, Duplicates: 4},
			202, acknowledged("accepted", 5, 4, 4),
			map[string]int{
				"webhooks_total{accepted,clerk}": 1, "events_total{accepted,clerk}": 3, "events_total{held,clerk}": 2,
				"events_total{duplicate,clerk}": 4, "events_total{ignored,clerk}": 4,
			},
		},
		{
			"repeat", one(),
			deletion.Receipt{Duplicates: 1},
			200,
			acknowledged("duplicate", 0, 1, 0),
			map[string]int{"webhooks_total{duplicate,clerk}": 1, "events_total{duplicate,clerk}": 1},
		},
		{
			"repeat beside an event of no interest",
			deletion.Delivery{Deletions: make([]deletion.Deletion, 1), Ignored: 1, IgnoreReason: deletion.IgnorePattern},
			deletion.Receipt{Duplicates: 1},
			200, acknowledged("duplicate", 0, 1, 1),
			map[string]int{
				"webhooks_total{duplicate,clerk}": 1, "events_total{duplicate,clerk}": 1, "events_total{ignored,clerk}": 1,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t)
			e.provider.Receive = delivers(tt.delivery, nil)
			e.options.Acceptor = answers(tt.receipt, nil)
			got := post(t, e.serve(t))
			require.Equal(t, tt.status, got.status)
			require.Equal(t, tt.body, got.body)
			require.Equal(t, "application/json", got.header.Get("Content-Type"))
			tt.counted["webhook_duration_seconds{clerk}"] = 1
			require.Equal(t, tt.counted, e.counted(t))
		})
	}
}

func TestEventsOfNoInterestAreNotStored(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.provider.Receive = delivers(deletion.Delivery{EventID: "evt_1", Ignored: 1, IgnoreReason: deletion.IgnoreOtherType}, nil)
	e.options.Acceptor = acceptorFunc(func(context.Context, []deletion.Deletion) (deletion.Receipt, error) {
		return deletion.Receipt{}, errors.New("nothing is to be stored")
	})
	got := post(t, e.serve(t))
	require.Equal(t, 200, got.status)
	require.Equal(t, acknowledged("ignored", 0, 0, 1), got.body)
	require.Equal(t, "other_type", e.line(t)["reason"])
	require.Equal(t, map[string]int{
		"webhooks_total{ignored,clerk}": 1, "events_total{ignored,clerk}": 1, "webhook_duration_seconds{clerk}": 1,
	}, e.counted(t))
}

func TestAcceptIsGivenTenSecondsAtTheMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t)
		e.options.Acceptor = acceptorFunc(func(ctx context.Context, _ []deletion.Deletion) (deletion.Receipt, error) {
			<-ctx.Done()
			return deletion.Receipt{}, ctx.Err()
		})
		start := time.Now()
		w := serveOnce(e.handler(), request(t, strings.NewReader(`{}`)))
		require.Equal(t, 10*time.Second, time.Since(start))
		require.Equal(t, 503, w.Code)
		require.Equal(t, "5", w.Header().Get("Retry-After"))
		require.Equal(t, refusal("unavailable"), w.Body.String())
		require.Equal(t, "database", e.line(t)["reason"])
		require.EqualValues(t, 10000, e.line(t)["duration_ms"])
	})
}

func TestDeletionIsStoredAlthoughTheSenderHungUp(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.options.Acceptor = acceptorFunc(func(ctx context.Context, _ []deletion.Deletion) (deletion.Receipt, error) {
		return deletion.Receipt{Accepted: 1}, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := serveOnce(e.handler(), request(t, strings.NewReader(`{}`)).WithContext(ctx))
	require.Equal(t, 202, w.Code)
}

// deaf is a connection that takes no answer any more.
type deaf struct{ *httptest.ResponseRecorder }

func (deaf) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestAnswerThatIsLostIsNoError(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.handler().ServeHTTP(deaf{httptest.NewRecorder()}, request(t, strings.NewReader(`{}`)))
	require.Equal(t, "accepted", e.line(t)["outcome"])
	require.EqualValues(t, 202, e.line(t)["status"])
	require.Equal(t, 1, e.counted(t)["webhooks_total{accepted,clerk}"])
}

func TestAcceptorGetsAllDeletions(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	sent := make([]deletion.Deletion, 300)
	e.provider.Receive = delivers(deletion.Delivery{Deletions: sent}, nil)
	e.options.Acceptor = acceptorFunc(func(_ context.Context, d []deletion.Deletion) (deletion.Receipt, error) {
		return deletion.Receipt{Accepted: len(d)}, nil
	})
	got := post(t, e.serve(t))
	require.Equal(t, acknowledged("accepted", 300, 0, 0), got.body)
}

func TestProviderStatesItsOwnAcknowledgement(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	e.provider.AcknowledgeEmpty = true
	for _, receipt := range []deletion.Receipt{{}, {Accepted: 1}, {Duplicates: 2}, {Accepted: 1, Held: 1}} {
		e.options.Acceptor = answers(receipt, nil)
		got := post(t, e.serve(t))
		require.Equal(t, 200, got.status)
		require.Empty(t, got.body)
	}
	require.Equal(t, 2, e.counted(t)["webhooks_total{accepted,clerk}"])
}

// polar-bridge selftest sends a digest of the body, which nobody else's refusal is
// changed by.
func TestARefusedBodyThatWasChangedOnTheWay(t *testing.T) {
	t.Parallel()
	const ofHello = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:" // of the body hello
	for digest, reason := range map[string]string{"": "", ofHello: "", "sha-256=:AAAA:": "body_changed", "md5=:AAAA:": ""} {
		e := newEdge(t)
		e.provider.Receive = delivers(deletion.Delivery{}, fault.New(fault.Unauthenticated, fault.ReasonBadSignature, "x"))
		r := request(t, strings.NewReader("hello"))
		r.Header.Set("Content-Digest", digest)
		w := serveOnce(e.handler(), r)
		require.Equal(t, http.StatusUnauthorized, w.Code)
		if reason == "" {
			require.Equal(t, refusal("unauthenticated"), w.Body.String(), digest)
			continue
		}
		require.Contains(t, w.Body.String(), `"reason":"body_changed"`, digest)
		require.Equal(t, reason, e.line(t)["reason"])
	}
}
