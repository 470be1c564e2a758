package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// mostBody is what one request may hold before its sender is known.
const mostBody = 64 << 10

const (
	logtoKey  = "marker-secret-logto-0123456789abcdef"
	forgedKey = "forged-forged-forged-forged-forged-00"
)

func logtoDelivery(t testing.TB, key, externalID string) delivery {
	t.Helper()
	logto, _ := everyProvider().Lookup("logto")
	header, body, err := logto.Sample(key, provider.Sample{ExternalID: externalID, EventID: externalID, Time: time.Now()})
	require.NoError(t, err)
	return delivery{"logto", header, body}
}

// Logto never repeats a webhook. Strangers whose signature is made up keep the
// last byte back, because only then can it be found out.
func TestBodiesThatNeverEnd(t *testing.T) {
	t.Parallel()
	attacks := []struct {
		name                string
		connections, length int
	}{
		{"a few large ones, as large as was once allowed", 70, 1 << 20},
		{"as large as is allowed, from as many as can be connected", 1000, mostBody},
		{"smaller than any deletion, from more than can be connected", 2500, 100},
	}
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			t.Parallel()
			env := newEnvironment(t, databasetest.SQLite(t), "LOGTO_WEBHOOK_SECRET="+logtoKey)
			p := env.start(t)
			forged := logtoDelivery(t, forgedKey, "user_forged")
			p.requireAllTakenBeside(t, func(ctx context.Context) {
				p.besiege(ctx, t, attack.connections, forged.head(attack.length, "")+strings.Repeat(" ", attack.length-1))
			}, keepsConnections(t, 4))
		})
	}
}

// keepsConnections is a client that keeps as many connections as it has requests at a
// time. With fewer net/http opens some that no request gets before they are broken off.
func keepsConnections(t *testing.T, requests int) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: requests, MaxConnsPerHost: requests}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// requireAllTakenBeside sends genuine webhooks from each of the clients during an
// attack, and requires that the program stays within its memory.
func (p *process) requireAllTakenBeside(t *testing.T, attack func(ctx context.Context), clients ...*http.Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	usage := p.watch(ctx)
	attack(ctx)
	for _, client := range clients {
		p.requireAllTaken(t, client, 188)
	}
	cancel()
	memory, _ := usage.result(t)
	t.Logf("%d kB RSS at most", memory)
	require.LessOrEqual(t, memory, mostMemory)
	require.NotContains(t, p.output(), "panic")
}

// besiege keeps as many connections open that say text, each opened again a
// second after it was broken off, until ctx ends. It returns when all have begun.
// A few are opened at a time: the genuine senders are on the same machine, and in a
// queue with thousands would not get to write what they have connected for.
func (p *process) besiege(ctx context.Context, t *testing.T, connections int, text string) {
	t.Helper()
	raiseFileLimit(t)
	opening := make(chan struct{}, 8)
	var begun, all sync.WaitGroup
	for range connections {
		begun.Add(1)
		all.Go(func() {
			first := sync.OnceFunc(begun.Done)
			defer first()
			for ctx.Err() == nil {
				opening <- struct{}{}
				conn, _ := p.dial(ctx, text) // it is broken off where the answer comes first
				<-opening
				first()
				if conn == nil {
					continue
				}
				stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
				_, _ = bufio.NewReader(conn).ReadByte() // the answer, or its end
				stop()
				_ = conn.Close()
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		})
	}
	begun.Wait()
	t.Cleanup(all.Wait)
}

// requireAllTaken sends genuine webhooks, four at a time, small ones and as
// large as is allowed.
func (p *process) requireAllTaken(t *testing.T, client *http.Client, n int) {
	t.Helper()
	events := make(chan delivery, n)
	for i := range n {
		d := logtoDelivery(t, logtoKey, fmt.Sprintf("user_%04d", i))
		if i%10 == 0 {
			d.body = append(d.body, strings.Repeat(" ", mostBody-len(d.body))...)
			d.header.Set("Logto-Signature-Sha-256", signature.HMACHex([]byte(logtoKey), d.body))
		}
		events <- d
	}
	close(events)
	var senders sync.WaitGroup
	var mutex sync.Mutex
	answers := map[string]int{}
	for range 4 {
		senders.Go(func() {
			for d := range events {
				status, text := p.post(t.Context(), client, d)
				mutex.Lock()
				answers[fmt.Sprint(status, " ", text)]++
				mutex.Unlock()
			}
		})
	}
	senders.Wait()
	require.Equal(t, map[string]int{"200 ": n}, answers)
}
