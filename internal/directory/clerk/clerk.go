// Package clerk asks Clerk's Backend API which users exist.
// https://clerk.com/docs/reference/backend-api,
// https://github.com/clerk/openapi-specs/tree/main/bapi
//
// It must not know what is done with the answer.
package clerk

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/directory/rest"
)

// Provider is the route's name.
const Provider = "clerk"

// maxIDs is how many ids one question takes, and few enough for one page, which
// holds up to 500 users: parameters user_id and limit of GET /v1/users.
// https://clerk.com/docs/reference/backend-api/tag/users/GET/users
const maxIDs = 100

// Options for New.
type Options struct {
	API *rest.Client
	// SecretKey returns the instance's secret key, "sk_live_…".
	SecretKey func() string
	// InstanceID is the instance that the key must belong to, "ins_…"; "" for
	// any. A key of another instance knows none of our users, and would have
	// all of them deleted.
	InstanceID string
}

// Directory is one Clerk instance's list of users.
type Directory struct {
	options Options
	proved  atomic.Bool // Check has succeeded
}

// New returns the directory. It makes no request.
func New(o Options) *Directory { return &Directory{options: o} }

// Source returns the directory with what has to be known about its ids.
func (d *Directory) Source() directory.Source {
	form := regexp.MustCompile(`^user_[0-9A-Za-z]+$`)
	return directory.Source{Directory: d, Provider: Provider, MaxIDs: maxIDs, Recognizes: form.MatchString}
}

// user is what is read of Clerk's User.
type user struct {
	Object string `json:"object"`
	ID     string `json:"id"`
}

// Living implements directory.Directory. Ids that do not exist are left out of
// the answer, says the OpenAPI document.
func (d *Directory) Living(ctx context.Context, userIDs []string) (map[string]bool, error) {
	if len(userIDs) == 0 || len(userIDs) > maxIDs {
		return nil, directory.Unclear("one question to Clerk names 1 to %d users, not %d", maxIDs, len(userIDs))
	}
	users, err := d.list(ctx, url.Values{"user_id": userIDs, "limit": {strconv.Itoa(len(userIDs))}})
	if err != nil {
		return nil, err
	}
	living := make(map[string]bool, len(users))
	for _, u := range users {
		if !slices.Contains(userIDs, u.ID) || living[u.ID] {
			return nil, directory.Unclear("Clerk lists users that it was not asked about")
		}
		living[u.ID] = true
	}
	return living, nil
}

func (d *Directory) list(ctx context.Context, query url.Values) ([]user, error) {
	answer, err := d.get(ctx, query, "users")
	if err != nil {
		return nil, err
	}
	var users []user
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &users) != nil || users == nil {
		return nil, directory.Unclear("Clerk answers the list of users with %d and something else than a list", answer.Status)
	}
	for _, u := range users {
		if u.Object != "user" || u.ID == "" {
			return nil, directory.Unclear("Clerk lists something else than users")
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

// Gone implements directory.Directory: GET /v1/users/{user_id}.
// https://clerk.com/docs/reference/backend-api/tag/users/GET/users/{user_id}
func (d *Directory) Gone(ctx context.Context, userID string) (bool, error) {
	if err := directory.CheckID(userID); err != nil {
		return false, err
	}
	answer, err := d.get(ctx, nil, "users", userID)
	if err != nil {
		return false, err
	}
	switch answer.Status {
	case http.StatusOK:
		var u user
		if json.Unmarshal(answer.Body, &u) == nil && u.Object == "user" && u.ID == userID {
			return false, nil
		}
	case http.StatusNotFound:
		var p problem
		if json.Unmarshal(answer.Body, &p) == nil && len(p.Errors) == 1 && p.Errors[0].Code == notFound {
			// A key or an address that is no good may find nobody at all.
			if err := d.prove(ctx); err != nil {
				return false, err
			}
			return true, nil
		}
	}
	return false, directory.Unclear("Clerk answers the question about one user with %d and neither that user nor %s", answer.Status, notFound)
}

// Check proves that address and key work, and that the key is one of
// InstanceID's.
func (d *Directory) Check(ctx context.Context) error {
	if _, err := d.list(ctx, url.Values{"limit": {"1"}}); err != nil {
		return err
	}
	if d.options.InstanceID == "" {
		return nil
	}
	return d.checkInstance(ctx)
}

// prove is Check until it has succeeded once.
func (d *Directory) prove(ctx context.Context) error {
	if d.proved.Load() {
		return nil
	}
	if err := d.Check(ctx); err != nil {
		return err
	}
	d.proved.Store(true)
	return nil
}

// checkInstance asks which instance the key belongs to.
// https://clerk.com/docs/reference/backend-api/tag/instance-settings/GET/instance
func (d *Directory) checkInstance(ctx context.Context) error {
	answer, err := d.get(ctx, nil, "instance")
	if err != nil {
		return err
	}
	var instance struct {
		ID string `json:"id"`
	}
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &instance) != nil || instance.ID == "" {
		return directory.Unclear("Clerk does not say which instance the key belongs to (%d)", answer.Status)
	}
	if instance.ID != d.options.InstanceID {
		return directory.Unclear("CLERK_SECRET_KEY belongs to another instance than CLERK_INSTANCE_ID names")
	}
	return nil
}

func (d *Directory) get(ctx context.Context, query url.Values, path ...string) (rest.Answer, error) {
	return d.options.API.Do(ctx, rest.Request{
		Method: http.MethodGet, Path: append([]string{"v1"}, path...), Query: query, Token: d.options.SecretKey(),
	})
}
