package directorytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The one application that works.
const (
	Auth0ClientID     = "QG4F6eABIgDzPvcKCMKUjo8c9iet2Skc"
	Auth0ClientSecret = "marker-client-secret-0123456789abcdef"
)

// The limits of Auth0's list of users.
// https://auth0.com/docs/manage-users/user-search/view-search-results-by-page
const (
	auth0DefaultPage = 50
	auth0MaxPage     = 100
	auth0MaxFound    = 1000
)

// Stream is an event stream for Auth0.AddStream.
type Stream struct {
	ID, Name string
	Disabled bool
	// Failed are the ids of the user.deleted events that did not arrive.
	Failed []string
}

// Auth0 is a local tenant: its tokens and its Management API.
type Auth0 struct {
	Server

	scopes      []string
	tokens      map[string]bool
	issued      int
	streams     []*Stream
	redelivered []string
}

// StartAuth0 starts one that ends with the test and grants these scopes.
func StartAuth0(tb TB, scopes ...string) *Auth0 {
	a := &Auth0{scopes: scopes, tokens: map[string]bool{}}
	if scopes == nil {
		a.scopes = []string{"read:users"}
	}
	a.start(tb, a.answer)
	return a
}

// Issued returns how many tokens were issued.
func (a *Auth0) Issued() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.issued
}

// RevokeTokens makes all tokens invalid.
func (a *Auth0) RevokeTokens() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.tokens)
}

// AddStream adds an event stream.
func (a *Auth0) AddStream(s Stream) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.streams = append(a.streams, &s)
}

// Redelivered returns the ids of the events asked for again.
func (a *Auth0) Redelivered() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.redelivered)
}

func (a *Auth0) answer(r *http.Request, f Fault) (int, any) {
	if r.Method == http.MethodPost && r.URL.Path == "/oauth/token" {
		return a.grant(r)
	}
	path := strings.TrimPrefix(r.URL.Path, "/api/v2/")
	segments := strings.Split(path, "/")
	if !a.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")] {
		return auth0Problem(http.StatusUnauthorized, "Unauthorized", "")
	}
	switch {
	case path == "users":
		return a.scoped("read:users", func() (int, any) { return a.search(r, f) })
	case segments[0] == "users" && len(segments) == 2:
		return a.scoped("read:users", func() (int, any) { return a.get(segments[1]) })
	case path == "event-streams":
		return a.scoped("read:event_streams", a.listStreams)
	case segments[0] == "event-streams" && len(segments) == 3 && segments[2] == "deliveries":
		return a.scoped("read:event_deliveries", func() (int, any) { return a.deliveries(segments[1], r) })
	case segments[0] == "event-streams" && len(segments) == 4 && segments[2] == "redeliver" && r.Method == http.MethodPost:
		return a.scoped("update:event_deliveries", func() (int, any) { return a.redeliver(segments[1], segments[3]) })
	}
	return auth0Problem(http.StatusNotFound, "Not Found", "")
}

func (a *Auth0) scoped(scope string, act func() (int, any)) (int, any) {
	if !slices.Contains(a.scopes, scope) {
		return auth0Problem(http.StatusForbidden, "Forbidden", "insufficient_scope")
	}
	return act()
}

func (a *Auth0) grant(r *http.Request) (int, any) {
	var asked map[string]string
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked["grant_type"] != "client_credentials" {
		return http.StatusBadRequest, map[string]any{"error": "invalid_request"}
	}
	if asked["client_id"] != Auth0ClientID || asked["client_secret"] != Auth0ClientSecret {
		return http.StatusUnauthorized, map[string]any{"error": "access_denied", "error_description": "Unauthorized"}
	}
	if asked["audience"] != "http://"+r.Host+"/api/v2/" {
		return http.StatusForbidden, map[string]any{"error": "access_denied", "error_description": "Service not found"}
	}
	a.issued++
	token := fmt.Sprintf("marker.token.%d", a.issued)
	a.tokens[token] = true
	return http.StatusOK, map[string]any{
		"access_token": token, "token_type": "Bearer", "expires_in": 24 * 60 * 60, "scope": strings.Join(a.scopes, " "),
	}
}

func (a *Auth0) get(id string) (int, any) {
	linked, ok := a.users[id]
	if !ok {
		return auth0Problem(http.StatusNotFound, "Not Found", "inexistent_user")
	}
	return http.StatusOK, auth0User(id, linked)
}

// search understands the two queries that are asked, and no other.
func (a *Auth0) search(r *http.Request, f Fault) (int, any) {
	query := r.URL.Query()
	matches, ok := matcher(query.Get("q"))
	perPage := number(query.Get("per_page"), auth0DefaultPage)
	page := number(query.Get("page"), 0)
	if !ok || perPage < 1 || perPage > auth0MaxPage || (page+1)*perPage > auth0MaxFound || query.Get("q") != "" && query.Get("search_engine") != "v3" {
		return auth0Problem(http.StatusBadRequest, "Bad Request", "invalid_query_string")
	}
	var found []string
	for id, linked := range a.users {
		if matches(id, linked) {
			found = append(found, id)
		}
	}
	slices.Sort(found)
	total := len(found)
	found = found[min(page*perPage, total):min((page+1)*perPage, total)]
	if f.List != nil {
		found = f.List(found)
		total = len(found) // it lies about the total, too
	}
	users := []any{}
	for _, id := range found {
		users = append(users, auth0User(id, a.users[id]))
	}
	if query.Get("include_totals") != "true" {
		return http.StatusOK, users
	}
	return http.StatusOK, map[string]any{"start": page * perPage, "limit": perPage, "length": len(users), "users": users, "total": total}
}

// matcher reads a query in the syntax of Lucene, as far as it goes.
func matcher(q string) (func(id string, linked []string) bool, bool) {
	quoted := regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
	var phrases []string
	for _, found := range quoted.FindAllStringSubmatch(q, -1) {
		phrases = append(phrases, regexp.MustCompile(`\\(.)`).ReplaceAllString(found[1], "$1"))
	}
	switch form := quoted.ReplaceAllString(q, "?"); {
	case q == "":
		return func(string, []string) bool { return true }, true
	case regexp.MustCompile(`^user_id:\(\?( OR \?)*\)$`).MatchString(form):
		return func(id string, _ []string) bool { return slices.Contains(phrases, id) }, true
	case form == "identities.user_id:? AND identities.provider:?":
		return func(id string, linked []string) bool {
			all := append([]string{id}, linked...)
			has := func(matches func(provider, id string) bool) bool {
				return slices.ContainsFunc(all, func(one string) bool {
					provider, rest, _ := strings.Cut(one, "|")
					return matches(provider, rest)
				})
			}
			// Two identities may match together, as with arrays in Lucene.
			return has(func(_, rest string) bool { return rest == phrases[0] }) && has(func(p, _ string) bool { return p == phrases[1] })
		}, true
	}
	return nil, false
}

func number(text string, fallback int) int {
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

func auth0User(id string, linked []string) any {
	identities := []any{}
	for _, one := range append([]string{id}, linked...) {
		provider, rest, _ := strings.Cut(one, "|")
		var value any = rest
		if n, err := strconv.Atoi(rest); err == nil && provider == "github" {
			value = n // some connections have numbers
		}
		identities = append(identities, map[string]any{"provider": provider, "user_id": value, "connection": "c", "isSocial": false})
	}
	return map[string]any{"user_id": id, "identities": identities}
}

func (a *Auth0) listStreams() (int, any) {
	streams := []any{}
	for _, s := range a.streams {
		status := "enabled"
		if s.Disabled {
			status = "disabled"
		}
		streams = append(streams, map[string]any{
			"id": s.ID, "name": s.Name, "status": status, "subscriptions": []any{map[string]any{"event_type": "user.deleted"}},
			"destination": map[string]any{"type": "webhook", "configuration": map[string]any{"webhook_endpoint": "https://bridge.example.com/webhooks/auth0"}},
		})
	}
	return http.StatusOK, map[string]any{"eventStreams": streams}
}

func (a *Auth0) stream(id string) *Stream {
	i := slices.IndexFunc(a.streams, func(s *Stream) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	return a.streams[i]
}

func (a *Auth0) deliveries(id string, r *http.Request) (int, any) {
	s := a.stream(id)
	if s == nil {
		return auth0Problem(http.StatusNotFound, "Not Found", "")
	}
	failed := s.Failed
	if from := r.URL.Query().Get("from"); from != "" {
		failed = failed[slices.Index(failed, from)+1:]
	}
	failed = failed[:min(number(r.URL.Query().Get("take"), auth0DefaultPage), len(failed))]
	page := []any{}
	for _, event := range failed {
		page = append(page, map[string]any{
			"id": event, "event_stream_id": id, "status": "failed", "event_type": "user.deleted",
			"attempts": []any{
				map[string]any{"status": "failed", "timestamp": "2026-11-23T10:00:00Z", "error_message": "timeout"},
				map[string]any{"status": "failed", "timestamp": "2026-11-23T10:00:07Z", "error_message": "\u202estatus 503"},
			},
			"event": map[string]any{"id": event, "type": "user.deleted", "data": `{"object":{}}`},
		})
	}
	return http.StatusOK, page
}

func (a *Auth0) redeliver(id, event string) (int, any) {
	s := a.stream(id)
	if s == nil || s.Disabled || !slices.Contains(s.Failed, event) {
		return auth0Problem(http.StatusNotFound, "Not Found", "")
	}
	a.redelivered = append(a.redelivered, event)
	return http.StatusAccepted, nil
}

func auth0Problem(status int, title, code string) (int, any) {
	problem := map[string]any{"statusCode": status, "error": title, "message": "It was not done."}
	if code != "" {
		problem["errorCode"] = code
	}
	return status, problem
}
