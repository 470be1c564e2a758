package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

const (
	clerkKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	// connections is how many senders there are when a candidate is saturated.
	connections = 64
	// steadyRate is events per second, and steadySenders how many send them.
	steadyRate    = 100
	steadySenders = 10
)

// signed makes n webhooks of users who have a customer at Polar, each ready to
// be written to a connection.
func signed(p *localPolar, address, prefix string, n int) ([][]byte, error) {
	clerk, _ := provider.All(provider.Options{Now: time.Now}).Lookup("clerk")
	requests := make([][]byte, n)
	for i := range requests {
		id := fmt.Sprintf("user_%s_%d", prefix, i)
		p.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: time.Now().Add(-time.Hour)})
		header, body, err := clerk.Sample(clerkKey, provider.Sample{ExternalID: id, EventID: "msg_" + id, Time: time.Now()})
		if err != nil {
			return nil, err
		}
		request, err := http.NewRequest(http.MethodPost, "http://"+address+"/webhooks/clerk", bytes.NewReader(body)) //nolint:noctx // only written
		if err != nil {
			return nil, err
		}
		request.Header = header
		var text bytes.Buffer
		if err := request.Write(&text); err != nil {
			return nil, err
		}
		requests[i] = text.Bytes()
	}
	return requests, nil
}

// sender is one connection. It costs the machine less than net/http's client
// would: the rest is for those who are measured.
type sender struct {
	connection net.Conn
	answers    *bufio.Reader
}

func dial(ctx context.Context, address string) (*sender, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &sender{connection, bufio.NewReader(connection)}, nil
}

// send sends one webhook and expects it to be accepted.
func (s *sender) send(request []byte) error {
	if _, err := s.connection.Write(request); err != nil {
		return err
	}
	answer, err := http.ReadResponse(s.answers, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusAccepted {
		return fmt.Errorf("answered %s", answer.Status)
	}
	return nil
}

// latencies are how long the answers took.
type latencies []time.Duration

// percentile returns the p-th of 100, in seconds.
func (l latencies) percentile(p int) float64 {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	return l[min(len(l)*p/100, len(l)-1)].Seconds()
}

// saturate sends over all connections as fast as they are answered, for the
// given time, and returns the latencies of what was accepted.
func saturate(ctx context.Context, address string, requests [][]byte, during time.Duration) (latencies, time.Duration, error) {
	var next atomic.Int64
	begin := time.Now()
	all, err := together(ctx, address, connections, func(s *sender, _ int) (own latencies, err error) {
		for time.Since(begin) < during {
			i := int(next.Add(1)) - 1
			if i >= len(requests) {
				return own, errors.New("more was answered than was prepared; prepare more")
			}
			sent := time.Now()
			if err := s.send(requests[i]); err != nil {
				return own, err
			}
			own = append(own, time.Since(sent))
		}
		return own, nil
	})
	return all, time.Since(begin), err
}

// steadily sends at steadyRate. An answer counts from when its request was due,
// so that a slow one does not hide what it keeps waiting.
func steadily(ctx context.Context, address string, requests [][]byte) (latencies, error) {
	begin := time.Now()
	return together(ctx, address, steadySenders, func(s *sender, number int) (own latencies, err error) {
		for i := number; i < len(requests); i += steadySenders {
			due := begin.Add(time.Duration(i) * time.Second / steadyRate)
			if err := pause(ctx, time.Until(due)); err != nil {
				return own, err
			}
			if err := s.send(requests[i]); err != nil {
				return own, err
			}
			own = append(own, time.Since(due))
		}
		return own, nil
	})
}

// together runs several senders at once and puts their latencies together.
func together(ctx context.Context, address string, n int, send func(s *sender, number int) (latencies, error)) (latencies, error) {
	var mu sync.Mutex
	var all latencies
	var failed error
	var senders sync.WaitGroup
	for number := range n {
		s, err := dial(ctx, address)
		if err != nil {
			return nil, err
		}
		senders.Go(func() {
			defer s.connection.Close() //nolint:errcheck // done with it
			own, err := send(s, number)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, own...)
			if failed == nil {
				failed = err // one is enough to read
			}
		})
	}
	senders.Wait()
	return all, failed
}
