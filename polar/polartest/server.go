package polartest

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultToken is the access token that works when Options.Token is empty.
const DefaultToken = "polar_oat_test"

// CurrentVersion is the API version that answers requests without a
// Polar-Version header.
const CurrentVersion = "2026-10"

// OrganizationID is the organization's id when Options do not say another one.
const OrganizationID = "1dbfc517-0bbf-4301-9ba8-555ca42b9737"

// Options configures a Server. The zero value is a Polar that works.
type Options struct {
	// Token is an organization access token with every scope; "" is DefaultToken.
	Token string
	// OrganizationID is the id of the one organization; "" is OrganizationID.
	OrganizationID string
	// Sandbox poses as Polar's sandbox (X-Polar-Sandbox: 1).
	Sandbox bool
	// Versions are the values of Polar-Version that exist, besides none at
	// all; nil is 2026-04, 2026-10 and 2027-01.
	Versions []string
	// RateLimit is how many calls a window allows; 0 is no limit. Production
	// allows 500, the sandbox 100.
	RateLimit int
	// RateWindow is how long a window lasts; 0 is 60 s.
	RateWindow time.Duration
	// RetryAfter is what a 429 asks to wait; 0 is RateWindow, as at Polar,
	// whatever is left of the window.
	RetryAfter time.Duration
	// JournalLimit bounds how many calls the journal remembers; 0 is no bound.
	JournalLimit int
	// Now is the clock of the limiter, the journal and the customers' times;
	// nil is time.Now.
	Now func() time.Time
}

// Server is a local Polar. It is an http.Handler, and Start lets it listen by
// itself. All methods may be used by many goroutines.
type Server struct {
	options   Options
	routes    []route
	listening listening

	mu        sync.Mutex // guards everything below
	tokens    map[string]TokenKind
	limiters  map[bool]*limiter // by whether the token is known
	customers customers
	deleted   map[string]int
	journal   journal
	faults    faults
	onDelete  func(Entry)
	unknown   map[string]bool // filters of lists that are dropped

	replicaLag time.Duration
}

// New returns a Server that has no customers and takes one token.
func New(options Options) *Server {
	options.Token = cmp.Or(options.Token, DefaultToken)
	options.OrganizationID = cmp.Or(options.OrganizationID, OrganizationID)
	options.RateWindow = cmp.Or(options.RateWindow, time.Minute)
	options.RetryAfter = cmp.Or(options.RetryAfter, options.RateWindow)
	if options.Versions == nil {
		options.Versions = []string{"2026-04", CurrentVersion, "2027-01"}
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Server{
		options:   options,
		routes:    routes(),
		tokens:    map[string]TokenKind{options.Token: TokenFull},
		limiters:  map[bool]*limiter{true: {}, false: {}},
		customers: newCustomers(),
		deleted:   map[string]int{},
		unknown:   map[string]bool{},
		journal:   journal{limit: options.JournalLimit},
	}
}

// call is one request on its way through the Server.
type call struct {
	request *http.Request
	match   match
	body    []byte // of a request that has one
	entry   *Entry // guarded by Server.mu
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, fault := s.arrive(r)
	reply, answered := s.reply(r.Context(), c, fault)
	if !answered {
		// The client has gone: there is nobody to answer.
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to break an answer off
	}
	s.finish(c, reply, fault)
	deliver(w, reply, fault, c.entry.Seq)
}

// arrive writes the call down and decides what will go wrong with it.
func (s *Server) arrive(r *http.Request) (*call, Fault) {
	found := matchRoute(s.routes, r.Method, r.URL.Path)
	rawPath, _, _ := strings.Cut(r.RequestURI, "?")
	c := &call{request: r, match: found, entry: &Entry{
		Method:      r.Method,
		RawPath:     rawPath,
		Operation:   found.operation,
		ExternalID:  found.externalID(),
		Traceparent: r.Header.Get("Traceparent"),
	}}
	c.entry.Anonymize, _ = parseBool(r.URL.Query(), "anonymize")
	if found.operation == OperationCreate {
		c.body, _ = io.ReadAll(io.LimitReader(r.Body, maxCreate)) // half of it is not JSON
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	c.entry.Time = s.options.Now()
	s.journal.add(c.entry)
	fault := s.faults.next(*c.entry)
	c.entry.Fault = fault.Name
	s.journal.wake()
	return c, fault
}

// reply works out the answer, or reports that the client went away first.
func (s *Server) reply(ctx context.Context, c *call, fault Fault) (answer, bool) {
	var own answer
	if fault.Commit {
		own = s.polar(c)
	}
	if !fault.wait(ctx) {
		return answer{}, false
	}
	switch {
	case fault.Status != 0:
		return fault.answer(), true
	case fault.Commit || fault.Reset:
		return own, true
	}
	return s.polar(c), true
}

// polar is what Polar itself does with the call, in Polar's order: version,
// rate limit, token, route, scope, lookup.
func (s *Server) polar(c *call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	version, ok := s.version(c.request.Header)
	if !ok {
		return notFoundRoute()
	}
	reply := s.limited(c)
	c.entry.Committed = reply.committed
	s.journal.wake()
	reply.header.Set("Polar-Version", version)
	return reply
}

// version returns the API version that answers, or false when the requested
// one does not exist (any more).
func (s *Server) version(header http.Header) (string, bool) {
	asked := header.Get("Polar-Version")
	return cmp.Or(asked, CurrentVersion), asked == "" || slices.Contains(s.options.Versions, asked)
}

// limited is everything behind the version: mu is held.
func (s *Server) limited(c *call) answer {
	token, kind := s.identify(c.request.Header)
	known := kind != tokenUnknown && kind != tokenAbsent
	if !s.limiters[known].allow(s.options.Now(), s.options.RateLimit, s.options.RateWindow) {
		return tooManyRequests(s.options.RetryAfter)
	}
	if kind == tokenUnknown && token != "" {
		return invalidToken() // a middleware's answer, before the router
	}
	reply := s.routed(c, kind)
	if s.options.Sandbox {
		reply.header.Set("X-Polar-Sandbox", "1")
	}
	return reply
}

// finish completes the journal before the client can know, so that whoever saw
// the answer also finds it there.
func (s *Server) finish(c *call, reply answer, fault Fault) {
	s.mu.Lock()
	if !fault.Reset {
		c.entry.Status = reply.status
	}
	entry, hook := *c.entry, s.onDelete
	s.journal.wake()
	s.mu.Unlock()
	if hook != nil && (entry.Operation == OperationDelete || entry.Operation == OperationDeleteByID) {
		hook(entry)
	}
}
