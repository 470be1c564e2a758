package directorytest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The one key that works, and its instance.
const (
	ClerkKey      = "sk_test_marker_0123456789abcdef"
	ClerkInstance = "ins_2g7np7Hrk0SN6kj5EDMLDaKNL0S"
)

// The limits of Clerk's list of users.
// https://clerk.com/docs/reference/backend-api/tag/users/GET/users
const (
	clerkDefaultLimit = 10
	clerkMaxLimit     = 500
	clerkMaxIDs       = 100
)

// Clerk is a local Backend API of Clerk.
type Clerk struct {
	Server

	others        map[string]*clerkInstance // by key
	organizations map[string]bool           // of the first instance; nil has none enabled
}

// clerkInstance is what one key gives access to.
type clerkInstance struct {
	id            string
	users         map[string][]string
	organizations map[string]bool
}

// AddInstance adds another instance, which its own key gives access to, with
// its users. Those that AddUser adds are the first instance's.
func (c *Clerk) AddInstance(key, id string, users ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	other := &clerkInstance{id: id, users: map[string][]string{}}
	for _, user := range users {
		other.users[user] = nil
	}
	c.others[key] = other
}

// SetOrganizations enables organizations of users, and says which exist.
func (c *Clerk) SetOrganizations(ids ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.organizations = map[string]bool{}
	for _, id := range ids {
		c.organizations[id] = true
	}
}

// StartClerk starts one that ends with the test.
func StartClerk(tb TB) *Clerk {
	c := &Clerk{others: map[string]*clerkInstance{}}
	c.start(tb, c.answer)
	return c
}

func (c *Clerk) answer(r *http.Request, f Fault) (int, any) {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	id, one := strings.CutPrefix(path, "users/")
	organization, ofUsers := strings.CutPrefix(path, "organizations/")
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	asked := c.others[key]
	if key == ClerkKey {
		asked = &clerkInstance{id: ClerkInstance, users: c.users, organizations: c.organizations}
	}
	switch {
	case asked == nil:
		return clerkProblem(http.StatusUnauthorized, "clerk_key_invalid")
	case r.Method != http.MethodGet || path == r.URL.Path:
		return clerkProblem(http.StatusNotFound, "route_not_found")
	case path == "instance":
		return http.StatusOK, map[string]any{"object": "instance", "id": asked.id, "environment_type": "development"}
	case path == "users":
		return asked.list(r, f)
	case one && !strings.Contains(id, "/"):
		if _, ok := asked.users[id]; !ok {
			return clerkProblem(http.StatusNotFound, "resource_not_found")
		}
		return http.StatusOK, clerkUser(id)
	case ofUsers && asked.organizations == nil:
		return clerkProblem(http.StatusForbidden, "organization_not_enabled_in_instance")
	case ofUsers && !asked.organizations[organization]:
		return clerkProblem(http.StatusNotFound, "resource_not_found")
	case ofUsers:
		return http.StatusOK, map[string]any{
			"object": "organization", "id": organization, "name": "Acme Corp", "slug": "acme-corp", "max_allowed_memberships": 5,
			"admin_delete_enabled": true, "public_metadata": map[string]any{}, "created_at": 1716883200000, "updated_at": 1716883200000,
		}
	}
	return clerkProblem(http.StatusNotFound, "route_not_found")
}

func (c *clerkInstance) list(r *http.Request, f Fault) (int, any) {
	query := r.URL.Query()
	wanted := query["user_id"]
	limit, err := strconv.Atoi(query.Get("limit"))
	if !query.Has("limit") {
		limit, err = clerkDefaultLimit, nil
	}
	if err != nil || limit < 1 || limit > clerkMaxLimit || len(wanted) > clerkMaxIDs {
		return clerkProblem(http.StatusUnprocessableEntity, "form_param_format_invalid")
	}
	found := []string{}
	for id := range c.users {
		if len(wanted) == 0 || slices.Contains(wanted, id) {
			found = append(found, id)
		}
	}
	slices.Sort(found)
	found = found[:min(limit, len(found))]
	if f.List != nil {
		found = f.List(found)
	}
	users := []any{}
	for _, id := range found {
		users = append(users, clerkUser(id))
	}
	return http.StatusOK, users
}

func clerkUser(id string) any {
	return map[string]any{
		"object": "user", "id": id, "external_id": nil, "username": nil, "email_addresses": []any{},
		"public_metadata": map[string]any{}, "private_metadata": map[string]any{}, "unsafe_metadata": map[string]any{},
		"banned": false, "locked": false, "created_at": 1716883200000, "updated_at": 1716883200000,
	}
}

func clerkProblem(status int, code string) (int, any) {
	return status, map[string]any{
		"errors":         []any{map[string]any{"message": "not done", "long_message": "It was not done.", "code": code}},
		"clerk_trace_id": "0123456789abcdef",
	}
}
