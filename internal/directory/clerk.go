package directory

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/go-json-experiment/json"
)

// ProviderClerk is the name of Clerk's route.
const ProviderClerk = "clerk"

// clerkMaxIDs is how many ids one question takes, and few enough for one page, which
// holds up to 500 users: parameters user_id and limit of GET /v1/users.
// https://clerk.com/docs/reference/backend-api/tag/users/GET/users
const clerkMaxIDs = 100

// ClerkOptions for New.
type ClerkOptions struct {
	API *Client
	// SecretKey returns the instance's secret key, "sk_live_…".
	SecretKey func() string
	// Instances says whether the instance that the key belongs to, "ins_…", may
	// be asked; nil lets any. A key of another instance knows none of our users,
	// and would have all of them deleted.
	Instances Instances
}

// Clerk asks the Backend API of one instance which users exist.
// https://clerk.com/docs/reference/backend-api,
// https://github.com/clerk/openapi-specs/tree/main/bapi
type Clerk struct {
	options ClerkOptions
	proved  atomic.Pointer[proof] // nil until a key is proved
}

// proof says that a key works, and which instance it belongs to, "" as long as
// that is not known. It says nothing about the key that comes after it.
type proof struct{ key, instance string }

// NewClerk returns the instance's directory. It makes no request.
func NewClerk(o ClerkOptions) *Clerk { return &Clerk{options: o} }

// Source returns the directory with what has to be known about its ids.
func (d *Clerk) Source() Source {
	form := regexp.MustCompile(`^user_[0-9A-Za-z]+$`)
	return Source{Directory: d, Provider: ProviderClerk, MaxIDs: clerkMaxIDs, OwnsID: form.MatchString}
}

// user is what is read of Clerk's User.
type clerkUser struct {
	Object string `json:"object"`
	ID     string `json:"id"`
}

// Existing implements Directory. Ids that do not exist are left out of
// the answer, says the OpenAPI document.
func (d *Clerk) Existing(ctx context.Context, userIDs []string) (map[string]bool, error) {
	if len(userIDs) == 0 || len(userIDs) > clerkMaxIDs {
		return nil, inconclusive("one question to Clerk names 1 to %d users, not %d", clerkMaxIDs, len(userIDs))
	}
	users, err := d.list(ctx, d.options.SecretKey(), url.Values{"user_id": userIDs, "limit": {strconv.Itoa(len(userIDs))}})
	if err != nil {
		return nil, err
	}
	living := make(map[string]bool, len(users))
	for _, u := range users {
		if !slices.Contains(userIDs, u.ID) || living[u.ID] {
			return nil, inconclusive("Clerk lists users that it was not asked about")
		}
		living[u.ID] = true
	}
	return living, nil
}

func (d *Clerk) list(ctx context.Context, key string, query url.Values) ([]clerkUser, error) {
	answer, err := d.get(ctx, key, query, "users")
	if err != nil {
		return nil, err
	}
	var users []clerkUser
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &users) != nil || users == nil {
		return nil, inconclusive("Clerk answers the list of users with %d and something else than a list", answer.Status)
	}
	for _, u := range users {
		if u.Object != "user" || u.ID == "" {
			return nil, inconclusive("Clerk lists something else than users")
		}
	}
	return users, nil
}

// notFound is the code of Clerk's 404 for a user; an unknown route or a proxy
// has no such code. https://clerk.com/docs/errors/backend-api
const notFound = "resource_not_found"

// problem is Clerk's answer to what it does not do.
type problem struct {
	Errors []struct {
		Code string `json:"code"`
	} `json:"errors"`
}

// IsDeleted implements Directory: GET /v1/users/{user_id}.
// https://clerk.com/docs/reference/backend-api/tag/users/GET/users/{user_id}
func (d *Clerk) IsDeleted(ctx context.Context, userID string) (Answer, error) {
	if err := checkID(userID); err != nil {
		return Answer{}, err
	}
	key := d.options.SecretKey() // may be another one at the next call
	answer, err := d.get(ctx, key, nil, "users", userID)
	if err != nil {
		return Answer{}, err
	}
	switch answer.Status {
	case http.StatusOK:
		var u clerkUser
		if json.Unmarshal(answer.Body, &u) == nil && u.Object == "user" && u.ID == userID {
			return Answer{}, nil
		}
	case http.StatusNotFound:
		var p problem
		if json.Unmarshal(answer.Body, &p) == nil && len(p.Errors) == 1 && p.Errors[0].Code == notFound {
			// A key or an address that is no good may find nobody at all.
			instance, err := d.prove(ctx, key)
			return Answer{Deleted: err == nil, Instance: instance}, err
		}
	}
	return Answer{}, inconclusive("Clerk answers the question about one user with %d and neither that user nor %s", answer.Status, notFound)
}

// Instance proves that address and key work, and returns which instance the key
// belongs to.
func (d *Clerk) Instance(ctx context.Context) (string, error) {
	key := d.options.SecretKey()
	if err := d.canList(ctx, key); err != nil {
		return "", err
	}
	return d.instance(ctx, key)
}

// prove is Instance, once for each key, for those that may be asked. It goes on
// where it was broken off.
func (d *Clerk) prove(ctx context.Context, key string) (instance string, err error) {
	known := d.proved.Load()
	switch {
	case known == nil || known.key != key:
		if err := d.canList(ctx, key); err != nil {
			return "", err
		}
		d.proved.Store(&proof{key: key})
	case known.instance != "":
		return known.instance, nil
	}
	if instance, err = d.instance(ctx, key); err != nil {
		return "", err
	}
	if d.options.Instances != nil {
		if err := d.options.Instances.Allow(ctx, instance); err != nil {
			return "", err
		}
	}
	d.proved.Store(&proof{key, instance})
	return instance, nil
}

// canList lists a user, which proves that users can be asked about.
func (d *Clerk) canList(ctx context.Context, key string) error {
	_, err := d.list(ctx, key, url.Values{"limit": {"1"}})
	return err
}

// instance asks which instance the key belongs to.
// https://clerk.com/docs/reference/backend-api/tag/instance-settings/GET/instance
func (d *Clerk) instance(ctx context.Context, key string) (string, error) {
	answer, err := d.get(ctx, key, nil, "instance")
	if err != nil {
		return "", err
	}
	var instance struct {
		ID string `json:"id"`
	}
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &instance) != nil || instance.ID == "" {
		return "", inconclusive("Clerk does not say which instance the key belongs to (%d)", answer.Status)
	}
	return instance.ID, nil
}

func (d *Clerk) get(ctx context.Context, key string, query url.Values, path ...string) (Response, error) {
	return d.options.API.Do(ctx, Request{
		Method: http.MethodGet, Path: append([]string{"v1"}, path...), Query: query, Token: key,
	})
}
