package directory

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"sync/atomic"
)

// ProviderClerk is the name of Clerk's route.
const ProviderClerk = "clerk"

// clerkMaxIDs is how many ids one request takes, and few enough for one page,
// which holds up to 500 users: parameters user_id and limit of GET /v1/users.
// https://clerk.com/docs/reference/backend-api/tag/users/GET/users
const clerkMaxIDs = 100

// Clerk asks the Backend API of one instance which users exist.
// https://clerk.com/docs/reference/backend-api,
// https://github.com/clerk/openapi-specs/tree/main/bapi
type Clerk struct {
	API *Client
	// SecretKey returns the instance's secret key, "sk_live_…".
	SecretKey func() string
	// Pinned says whether the instance that the key belongs to, "ins_…", may be
	// asked; nil allows any. A key of another instance knows none of our users,
	// and would have all of them deleted.
	Pinned *PinnedInstance

	verified atomic.Pointer[clerkKey] // nil until a key is verified
}

// clerkKey is a key that works, and the instance it belongs to, "" as long as
// that is not known. It says nothing about the key that replaces it.
type clerkKey struct{ key, instance string }

// Source returns the directory with what has to be known about its ids.
func (c *Clerk) Source() Source {
	organizations := func(ctx context.Context, id string) (Answer, error) { return c.isDeleted(ctx, "organization", id) }
	return Source{
		Directory: c, Provider: ProviderClerk, MaxIDs: clerkMaxIDs, OwnsID: regexp.MustCompile(`^user_[0-9A-Za-z]+$`).MatchString,
		Organizations: &Organizations{IsDeleted: organizations, OwnsID: regexp.MustCompile(`^org_[0-9A-Za-z]+$`).MatchString},
	}
}

// clerkObject is what is read of Clerk's User and Organization.
type clerkObject struct {
	Object string `json:"object"`
	ID     string `json:"id"`
}

// Existing implements Directory. Ids that do not exist are left out of the
// response, says the OpenAPI document.
func (c *Clerk) Existing(ctx context.Context, userIDs []string) (map[string]bool, error) {
	if err := checkCount(userIDs, clerkMaxIDs); err != nil {
		return nil, err
	}
	listed, err := c.list(ctx, c.SecretKey(), url.Values{"user_id": userIDs, "limit": {strconv.Itoa(len(userIDs))}})
	if err != nil {
		return nil, err
	}
	return matched(userIDs, listed)
}

// list returns the ids of the users that match.
func (c *Clerk) list(ctx context.Context, key string, query url.Values) ([]string, error) {
	response, err := c.get(ctx, key, query, "users")
	if err != nil {
		return nil, err
	}
	var users []clerkObject
	if !response.decode(http.StatusOK, &users) || users == nil {
		return nil, inconclusive("Clerk answered %d to the list of users, without a list", response.Status)
	}
	ids := make([]string, len(users))
	for i, u := range users {
		if u.Object != "user" || u.ID == "" {
			return nil, inconclusive("Clerk lists something other than users")
		}
		ids[i] = u.ID
	}
	return ids, nil
}

// clerkNotFound is the code of Clerk's 404 for a user or an organization; an unknown route or a
// proxy has no such code. https://clerk.com/docs/errors/backend-api
const clerkNotFound = "resource_not_found"

// IsDeleted implements Directory: GET /v1/users/{user_id}.
// https://clerk.com/docs/reference/backend-api/tag/users/GET/users/{user_id}
func (c *Clerk) IsDeleted(ctx context.Context, userID string) (Answer, error) {
	return c.isDeleted(ctx, "user", userID)
}

// isDeleted asks for a user or an organization. An instance without organizations
// answers with another code.
// https://clerk.com/docs/reference/backend-api/tag/organizations/GET/organizations/{organization_id}
func (c *Clerk) isDeleted(ctx context.Context, object, id string) (Answer, error) {
	key := c.SecretKey() // may be another one at the next call
	response, err := c.get(ctx, key, nil, object+"s", id)
	if err != nil {
		return Answer{}, err
	}
	var found clerkObject
	if response.decode(http.StatusOK, &found) && found.Object == object && found.ID == id {
		return Answer{}, nil
	}
	var problem struct {
		Errors []struct {
			Code string `json:"code"`
		} `json:"errors"`
	}
	if response.decode(http.StatusNotFound, &problem) && len(problem.Errors) == 1 && problem.Errors[0].Code == clerkNotFound {
		// With a wrong key or address nobody might be found at all.
		instance, err := c.verify(ctx, key)
		return Answer{Deleted: err == nil, Instance: instance}, err
	}
	return Answer{}, inconclusive("Clerk answered %d to the lookup of one %s, with neither that one nor %s", response.Status, object, clerkNotFound)
}

// Instance proves that address and key work, and returns which instance the key
// belongs to.
func (c *Clerk) Instance(ctx context.Context) (string, error) {
	key := c.SecretKey()
	if _, err := c.list(ctx, key, url.Values{"limit": {"1"}}); err != nil {
		return "", err
	}
	return c.instance(ctx, key)
}

// verify is Instance, once for each key, for instances that may be asked. Each
// step is done once: all of them may take longer than one deletion can wait.
func (c *Clerk) verify(ctx context.Context, key string) (instance string, err error) {
	known := c.verified.Load()
	if known == nil || known.key != key {
		// That a user can be listed proves that users can be looked up.
		if _, err := c.list(ctx, key, url.Values{"limit": {"1"}}); err != nil {
			return "", err
		}
		known = &clerkKey{key: key}
		c.verified.Store(known)
	}
	if known.instance != "" {
		return known.instance, nil
	}
	if instance, err = c.instance(ctx, key); err != nil {
		return "", err
	}
	if err := c.Pinned.Allow(ctx, instance); err != nil {
		return "", err
	}
	c.verified.Store(&clerkKey{key, instance})
	return instance, nil
}

// instance asks which instance the key belongs to.
// https://clerk.com/docs/reference/backend-api/tag/instance-settings/GET/instance
func (c *Clerk) instance(ctx context.Context, key string) (string, error) {
	response, err := c.get(ctx, key, nil, "instance")
	if err != nil {
		return "", err
	}
	var instance struct {
		ID string `json:"id"`
	}
	if !response.decode(http.StatusOK, &instance) || instance.ID == "" {
		return "", inconclusive("Clerk does not say which instance the key belongs to (%d)", response.Status)
	}
	return instance.ID, nil
}

func (c *Clerk) get(ctx context.Context, key string, query url.Values, path ...string) (Response, error) {
	return c.API.Do(ctx, Request{Method: http.MethodGet, Path: append([]string{"v1"}, path...), Query: query, Token: key})
}
