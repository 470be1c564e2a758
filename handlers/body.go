package handlers

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// checkRequest refuses a body that the headers show to be too large or encoded.
func checkRequest(r *http.Request, limit int64) error {
	for _, encoding := range r.Header.Values("Content-Encoding") {
		// Signatures are over the bytes as sent; unpacking them would also
		// let a small body grow without bounds.
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return fault.New(fault.Unsupported, fault.ReasonEncoding, "content encoding is not identity")
		}
	}
	if r.ContentLength > limit {
		return fault.New(fault.TooLarge, fault.ReasonBodyTooLarge, "%d bytes are announced, %d allowed", r.ContentLength, limit)
	}
	return nil
}

// maxUnknownBody is the largest body, in bytes, of a sender who is not known
// before it has arrived.
const maxUnknownBody = 64 << 10

// maxUnknownBodies is how many of them may be in flight: 32 MiB together, over
// however many connections. A body that is sent at once is in flight for less
// than a millisecond.
const maxUnknownBodies = 512

// bodies bounds the bodies of all requests together. Those of strangers are
// bounded by number and size, and the newest always gets in: whoever sends slowly
// must not shut out those who send at once. Those of known senders are bounded by
// bytes, which strangers cannot use up.
type bodies struct {
	unknown *inFlight
	budget  *semaphore.Weighted
	chunks  sync.Pool // of *[nextChunk]byte
}

// read reads the body of a request. release must be called when the body is not
// used any more; it is never nil.
func (b *bodies) read(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, release func(), err error) {
	src := http.MaxBytesReader(w, r.Body, limit)
	if limit > maxUnknownBody {
		m := &meter{src: src, budget: b.budget}
		body, err = b.readAll(m)
		return body, m.release, bodyError(err)
	}
	request := b.unknown.enter(func() {
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) // fails only in tests without a connection
	})
	release = func() { b.unknown.leave(request) }
	if body, err = b.readAll(src); err != nil && b.unknown.interrupted(request) {
		return nil, release, tooManyBodies()
	}
	return body, release, bodyError(err)
}

func tooManyBodies() error {
	return fault.New(fault.Unavailable, fault.ReasonOverload, "too many bodies in flight")
}

// bodyError classifies why a body could not be read.
func bodyError(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok || err == nil {
		return err
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.New(fault.TooLarge, fault.ReasonBodyTooLarge, "read body: %w", tooLarge)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// Whose fault that is nobody knows: a sender that never repeats a 4xx
		// must not lose the event.
		return fault.New(fault.Unavailable, fault.ReasonBodyRead, "read body: %w", err)
	}
	// It broke off: there is nobody left to read the answer.
	return fault.New(fault.Malformed, fault.ReasonBodyRead, "read body: %w", err)
}

// The chunks in which a body is read. Most fit into the first one.
const (
	firstChunk = 4 << 10
	nextChunk  = 16 << 10
)

// readAll is io.ReadAll without the copy that it makes even of a body that ends
// in an error: when slow bodies ran out of time together, that doubled them. The
// chunks of a refused body are used again at once instead of waiting for the next
// garbage collection. What it returns is the caller's own.
func (b *bodies) readAll(r io.Reader) ([]byte, error) {
	var pooled []*[nextChunk]byte
	defer func() {
		for _, c := range pooled {
			b.chunks.Put(c)
		}
	}()
	var full [][]byte
	chunk := make([]byte, 0, firstChunk)
	for {
		n, err := r.Read(chunk[len(chunk):cap(chunk)])
		chunk = chunk[:len(chunk)+n]
		switch {
		case errors.Is(err, io.EOF) && full == nil:
			return chunk, nil
		case errors.Is(err, io.EOF):
			return slices.Concat(append(full, chunk)...), nil
		case err != nil:
			return nil, err
		case len(chunk) == cap(chunk):
			next, ok := b.chunks.Get().(*[nextChunk]byte)
			if !ok {
				next = new([nextChunk]byte)
			}
			full, pooled, chunk = append(full, chunk), append(pooled, next), next[:0]
		}
	}
}

// meter charges what is read to the budget that all large bodies in flight
// share. It counts bytes that arrived, not those announced: else a few idle
// connections that announce much could shut out everybody. It never waits, so
// bodies that are half read cannot wait for one another.
type meter struct {
	src    io.Reader
	budget *semaphore.Weighted
	held   int64
}

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	n, err := m.src.Read(p)
	if n > 0 {
		if !m.budget.TryAcquire(int64(n)) {
			return 0, tooManyBodies()
		}
		m.held += int64(n)
	}
	return n, err
}

// release gives back what was charged.
func (m *meter) release() {
	m.budget.Release(m.held)
	m.held = 0
}

// inFlight bounds how many requests are at something at once. Nobody is kept
// out: the one that has been at it for longest is interrupted.
type inFlight struct {
	limit int

	mu       sync.Mutex
	requests []*inFlightRequest // the oldest first
}

type inFlightRequest struct {
	interrupt   func()
	interrupted bool
}

func newInFlight(limit int) *inFlight {
	return &inFlight{limit: limit, requests: make([]*inFlightRequest, 0, limit)}
}

// enter counts a request until leave. interrupt makes it end soon; it is called
// at most once, not after leave, and must not wait.
func (f *inFlight) enter(interrupt func()) *inFlightRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.requests) >= f.limit {
		oldest := f.requests[0]
		f.requests = slices.Delete(f.requests, 0, 1)
		oldest.interrupted = true
		oldest.interrupt()
	}
	r := &inFlightRequest{interrupt: interrupt}
	f.requests = append(f.requests, r)
	return r
}

func (f *inFlight) leave(r *inFlightRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.requests, r); i >= 0 { // it was not interrupted
		f.requests = slices.Delete(f.requests, i, i+1)
	}
}

func (f *inFlight) interrupted(r *inFlightRequest) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return r.interrupted
}
