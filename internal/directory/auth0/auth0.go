// Package auth0 asks Auth0's Management API which users exist, and which events
// its Event Streams failed to deliver. https://auth0.com/docs/api/management/v2
//
// It must not know what is done with the answers.
package auth0

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/directory/rest"
)

// Provider is the route's name.
const Provider = "auth0"

const (
	// maxIDs keeps a question far below the length at which servers refuse a
	// request's first line, and its answer on one page.
	maxIDs = 50
	// maxPage is the most users that one page holds.
	// https://auth0.com/docs/manage-users/user-search/view-search-results-by-page
	maxPage = 100
	// lag is how long after two users were linked the search may still not know
	// it. Auth0 says "eventually consistent" and gives no time.
	// https://auth0.com/docs/manage-users/user-search
	lag = 30 * time.Second
)

// Options for New.
type Options struct {
	API *rest.Client
	// Audience is the Management API's identifier, "https://TENANT/api/v2/".
	Audience string
	// ClientID and ClientSecret are a machine-to-machine application's.
	ClientID     string
	ClientSecret func() string
	Now          func() time.Time
	// Tenant is the host of the tenant's own domain in lower case,
	// "example.eu.auth0.com".
	Tenant string
	// Instances says whether that tenant may be asked; nil lets any.
	Instances directory.Instances
}

// Directory is one tenant's list of users.
type Directory struct {
	options Options
	token   token
	allowed atomic.Bool // Instances has allowed the tenant
}

// New returns the directory. It makes no request.
func New(o Options) *Directory { return &Directory{options: o, token: newToken(o)} }

// Source returns the directory with what has to be known about its ids, which
// are a strategy and the id there: "auth0|507f1f77bcf86cd799439020".
// https://auth0.com/docs/manage-users/user-accounts/identify-users
func (d *Directory) Source() directory.Source {
	form := regexp.MustCompile(`^[0-9A-Za-z_-]+\|.`)
	return directory.Source{Directory: d, Provider: Provider, MaxIDs: maxIDs, Recognizes: form.MatchString, Lag: lag}
}

// user is what is read of Auth0's User.
type user struct {
	UserID     string     `json:"user_id"`
	Identities []identity `json:"identities"`
}

// identity is one account that a user can log in with. Its id has no strategy
// before it, and may be a number.
type identity struct {
	Provider string         `json:"provider"`
	UserID   jsontext.Value `json:"user_id"`
}

// is says whether the identity is the user with that id.
func (i identity) is(userID string) bool {
	id := string(i.UserID)
	if i.UserID.Kind() == jsontext.KindString {
		var text string
		if json.Unmarshal(i.UserID, &text) != nil {
			return false
		}
		id = text
	}
	return i.Provider+"|"+id == userID
}

// Living implements directory.Directory by a search, which lags.
func (d *Directory) Living(ctx context.Context, userIDs []string) (map[string]bool, error) {
	if len(userIDs) == 0 || len(userIDs) > maxIDs {
		return nil, directory.Unclear("one question to Auth0 names 1 to %d users, not %d", maxIDs, len(userIDs))
	}
	phrases := make([]string, len(userIDs))
	for i, id := range userIDs {
		phrases[i] = phrase(id)
	}
	users, err := d.search(ctx, "user_id:("+strings.Join(phrases, " OR ")+")")
	if err != nil {
		return nil, err
	}
	living := make(map[string]bool, len(users))
	for _, u := range users {
		if !slices.Contains(userIDs, u.UserID) || living[u.UserID] {
			return nil, directory.Unclear("Auth0 lists users that it was not asked about")
		}
		living[u.UserID] = true
	}
	return living, nil
}

// phrase quotes text for an exact match.
// https://auth0.com/docs/manage-users/user-search/user-search-query-syntax,
// https://lucene.apache.org/core/2_9_4/queryparsersyntax.html
func phrase(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// search returns all users that match, or an error when one page does not hold
// them.
// https://auth0.com/docs/api/management/v2/users/get-users
func (d *Directory) search(ctx context.Context, q string) ([]user, error) {
	return d.list(ctx, url.Values{"q": {q}, "search_engine": {"v3"}, "per_page": {strconv.Itoa(maxPage)}}, true)
}

func (d *Directory) list(ctx context.Context, query url.Values, complete bool) ([]user, error) {
	for name, value := range map[string]string{
		"page": "0", "include_totals": "true", "fields": "user_id,identities", "include_fields": "true",
	} {
		query.Set(name, value)
	}
	answer, err := d.ask(ctx, rest.Request{Method: http.MethodGet, Path: []string{"api", "v2", "users"}, Query: query})
	if err != nil {
		return nil, err
	}
	var page struct {
		Users  []user `json:"users"`
		Total  *int   `json:"total"`
		Length *int   `json:"length"`
	}
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &page) != nil || page.Users == nil || page.Total == nil || page.Length == nil {
		return nil, directory.Unclear("Auth0 answers a search for users with %d and something else than a list with its total", answer.Status)
	}
	if *page.Length != len(page.Users) || complete && *page.Total != len(page.Users) {
		return nil, directory.Unclear("Auth0 says that %d users match and lists %d", *page.Total, len(page.Users))
	}
	for _, u := range page.Users {
		if u.UserID == "" {
			return nil, directory.Unclear("Auth0 lists a user without an id")
		}
	}
	return page.Users, nil
}

// inexistentUser is the errorCode of the Management API's 404 for a user; an
// unknown route has none.
const inexistentUser = "inexistent_user"

// Gone implements directory.Directory: GET /api/v2/users/{id}, which is
// immediately consistent, says that nobody has the id, and no user has it among
// the identities, where a user lives on who was linked to another one.
// https://auth0.com/docs/manage-users/user-search/get-users-by-id-or-email,
// https://auth0.com/docs/manage-users/user-accounts/user-account-linking
func (d *Directory) Gone(ctx context.Context, userID string) (directory.Answer, error) {
	if err := directory.CheckID(userID); err != nil {
		return directory.Answer{}, err
	}
	answer, err := d.ask(ctx, rest.Request{
		Method: http.MethodGet, Path: []string{"api", "v2", "users", userID},
		Query: url.Values{"fields": {"user_id,identities"}, "include_fields": {"true"}},
	})
	if err != nil {
		return directory.Answer{}, err
	}
	switch answer.Status {
	case http.StatusOK:
		var u user
		if json.Unmarshal(answer.Body, &u) == nil && (u.UserID == userID || u.has(userID)) {
			return directory.Answer{}, nil
		}
	case http.StatusNotFound:
		var problem struct {
			StatusCode int    `json:"statusCode"`
			ErrorCode  string `json:"errorCode"`
		}
		if json.Unmarshal(answer.Body, &problem) == nil && problem.StatusCode == http.StatusNotFound && problem.ErrorCode == inexistentUser {
			linked, err := d.linked(ctx, userID)
			if err != nil || linked {
				return directory.Answer{}, err
			}
			err = d.allow(ctx)
			return directory.Answer{Gone: err == nil, Instance: d.tenant()}, err
		}
	}
	return directory.Answer{}, directory.Unclear("Auth0 answers the question about one user with %d and neither that user nor %s", answer.Status, inexistentUser)
}

// allow asks once whether the tenant may be asked. Its credentials work nowhere
// else, so that they need no proof.
func (d *Directory) allow(ctx context.Context) error {
	if d.options.Instances == nil || d.allowed.Load() {
		return nil
	}
	if err := d.options.Instances.Allow(ctx, d.options.Tenant); err != nil {
		return err
	}
	d.allowed.Store(true)
	return nil
}

// tenant is the tenant as events name it, a0tenant and tenant_name, "" when its
// domain does not say: only Auth0's own domains begin with it.
// https://auth0.com/docs/get-started/auth0-overview/create-tenants
func (d *Directory) tenant() string {
	name, rest, _ := strings.Cut(d.options.Tenant, ".")
	if rest != "auth0.com" && !strings.HasSuffix(rest, ".auth0.com") {
		return ""
	}
	return name
}

func (u user) has(userID string) bool {
	return slices.ContainsFunc(u.Identities, func(i identity) bool { return i.is(userID) })
}

// linked says whether the id is one of the identities of another user. The
// search may find users of whom one identity has the provider and another the
// id, so what it finds is looked at.
func (d *Directory) linked(ctx context.Context, userID string) (bool, error) {
	strategy, id, found := strings.Cut(userID, "|")
	if !found {
		strategy, id = Provider, userID
	}
	users, err := d.search(ctx, "identities.user_id:"+phrase(id)+" AND identities.provider:"+phrase(strategy))
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(users, func(u user) bool { return u.has(userID) || u.has(strategy+"|"+id) }), nil
}

// Tenant returns the host of the tenant's own domain.
func (d *Directory) Tenant() string { return d.options.Tenant }

// Check proves that the credentials work and may read users.
func (d *Directory) Check(ctx context.Context) error {
	_, err := d.list(ctx, url.Values{"per_page": {"1"}}, false)
	return err
}
