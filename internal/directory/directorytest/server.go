// Package directorytest has local stand-ins for the identity providers' APIs of
// users: Clerk's Backend API and Auth0's Management API, as far as this program
// uses them, and what goes wrong with them. They serve tests.
//
// It must not know package directory: a client that is tested against its own
// idea of the server proves nothing. Where the providers' documents say nothing
// the stand-ins take the stricter way; docs/reconcile.md lists those places.
package directorytest

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Fault is what goes wrong with a call. The zero value is nothing.
type Fault struct {
	// Status, Header, ContentType and Body are answered in the API's place; a
	// Status of 0 leaves its own answer.
	Status            int
	Header            http.Header
	ContentType, Body string
	// Delay is how long the answer takes; Hang is until the client goes away.
	Delay time.Duration
	Hang  bool
	// List changes which users a list shows, by their ids.
	List func(ids []string) []string
}

// Status answers with a status and JSON.
func Status(status int) Fault {
	return Fault{Status: status, ContentType: "application/json", Body: `{"errors":[]}`}
}

// RateLimited is a 429 that asks to wait, in whole seconds.
func RateLimited(wait time.Duration) Fault {
	f := Status(http.StatusTooManyRequests)
	f.Header = http.Header{"Retry-After": {strconv.Itoa(int(wait / time.Second))}}
	return f
}

// WrongJSON is a 200 with JSON of another form.
func WrongJSON() Fault {
	return Fault{Status: http.StatusOK, ContentType: "application/json", Body: `{"data":true}`}
}

// CutJSON is a 200 whose body ends early.
func CutJSON() Fault {
	return Fault{Status: http.StatusOK, ContentType: "application/json", Body: `[{"object":"user","id":"us`}
}

// HTMLPage is a page with status 200, as a login wall shows it.
func HTMLPage() Fault {
	return Fault{Status: http.StatusOK, ContentType: "text/html", Body: "<!DOCTYPE html><title>Welcome</title>"}
}

// Redirect is a 307 to location.
func Redirect(location string) Fault {
	return Fault{Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {location}}}
}

// EmptyList lists nobody.
func EmptyList() Fault { return Fault{List: func([]string) []string { return nil }} }

// CutList lists half of the users.
func CutList() Fault {
	return Fault{List: func(ids []string) []string { return ids[:len(ids)/2] }}
}

// ForeignList lists other users than those that were asked for.
func ForeignList(ids ...string) Fault {
	return Fault{List: func([]string) []string { return ids }}
}

// Server is what all stand-ins have in common.
type Server struct {
	address *url.URL

	mu     sync.Mutex
	users  map[string][]string // id to the ids of the linked ones
	next   []Fault
	always func(*http.Request) Fault
	calls  []string
}

// TB is what Start needs of a testing.TB.
type TB interface {
	Cleanup(cleanup func())
}

func (s *Server) start(tb TB, api func(r *http.Request, f Fault) (int, any)) {
	s.users = map[string][]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault := s.arrive(r)
		if !wait(r.Context(), fault) {
			return
		}
		maps.Copy(w.Header(), fault.Header)
		if fault.Status != 0 {
			if fault.ContentType != "" {
				w.Header().Set("Content-Type", fault.ContentType)
			}
			w.WriteHeader(fault.Status)
			_, _ = w.Write([]byte(fault.Body))
			return
		}
		s.mu.Lock()
		status, body := api(r, fault)
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		if body != nil {
			_ = json.NewEncoder(w).Encode(body)
		}
	}))
	s.address, _ = url.Parse(server.URL)
	tb.Cleanup(server.Close)
}

func (s *Server) arrive(r *http.Request) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, r.Method+" "+r.URL.Path)
	if len(s.next) > 0 {
		fault := s.next[0]
		s.next = s.next[1:]
		return fault
	}
	if s.always != nil {
		return s.always(r)
	}
	return Fault{}
}

func wait(ctx context.Context, fault Fault) bool {
	if fault.Hang {
		<-ctx.Done()
		return false
	}
	timer := time.NewTimer(fault.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// URL returns the base URL, in a copy.
func (s *Server) URL() *url.URL {
	address := *s.address
	return &address
}

// AddUser adds a user, to whom the others are linked.
func (s *Server) AddUser(id string, linked ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[id] = linked
}

// DeleteUser deletes a user with all that are linked to it.
func (s *Server) DeleteUser(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.users, id)
}

// FailNext makes the next calls fail.
func (s *Server) FailNext(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = append(s.next, faults...)
}

// SetFault asks choose at every call that FailNext leaves; nil repairs all.
func (s *Server) SetFault(choose func(*http.Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = choose
}

// Always makes every call fail.
func (s *Server) Always(fault Fault) { s.SetFault(func(*http.Request) Fault { return fault }) }

// Calls returns "METHOD path" of every call.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}
