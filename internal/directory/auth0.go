package directory

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/semaphore"
)

// ProviderAuth0 is the name of Auth0's route.
const ProviderAuth0 = "auth0"

const (
	// auth0MaxIDs keeps a search far below the length at which servers refuse a
	// request's first line, and its result on one page.
	auth0MaxIDs = 50
	// auth0MaxPage is the most users that one page holds.
	// https://auth0.com/docs/manage-users/user-search/view-search-results-by-page
	auth0MaxPage = 100
	// auth0ReadLag is how long after two users were linked the search may still
	// not know it. Auth0 says "eventually consistent" and gives no time.
	// https://auth0.com/docs/manage-users/user-search
	auth0ReadLag = 30 * time.Second
)

// Auth0Options for NewAuth0.
type Auth0Options struct {
	API          *Client
	Audience     string // the Management API's identifier, "https://TENANT/api/v2/"
	ClientID     string // a machine-to-machine application's, as is the secret
	ClientSecret func() string
	Now          func() time.Time
	// Tenant is the host of the tenant's own domain in lower case,
	// "example.eu.auth0.com".
	Tenant string
	Pinned *PinnedInstance // whether that tenant may be asked; nil allows any
}

// Auth0 asks the Management API of one tenant which users exist, and which
// events its Event Streams failed to deliver.
// https://auth0.com/docs/api/management/v2
type Auth0 struct {
	options Auth0Options

	lock  *semaphore.Weighted // guards token; whoever waits for it can give up
	token auth0Token
}

// NewAuth0 returns the tenant's directory. It makes no request.
func NewAuth0(o Auth0Options) *Auth0 { return &Auth0{options: o, lock: semaphore.NewWeighted(1)} }

// Source returns the directory with what has to be known about its ids, which
// are a strategy and the id there: "auth0|507f1f77bcf86cd799439020".
// https://auth0.com/docs/manage-users/user-accounts/identify-users
func (a *Auth0) Source() Source {
	form := regexp.MustCompile(`^[0-9A-Za-z_-]+\|.`)
	return Source{Directory: a, Provider: ProviderAuth0, MaxIDs: auth0MaxIDs, OwnsID: form.MatchString, ReadLag: auth0ReadLag}
}

// auth0User is what is read of Auth0's User. The id of an identity, which is one
// account that a user can log in with, has no strategy before it, and may be a
// number.
type auth0User struct {
	UserID     string `json:"user_id"`
	Identities []struct {
		Provider string         `json:"provider"`
		UserID   jsontext.Value `json:"user_id"`
	} `json:"identities"`
}

// has says whether one of the user's identities is the user with that id.
func (u auth0User) has(userID string) bool {
	for _, i := range u.Identities {
		id := string(i.UserID)
		if i.UserID.Kind() == jsontext.KindString && json.Unmarshal(i.UserID, &id) != nil {
			continue
		}
		if i.Provider+"|"+id == userID {
			return true
		}
	}
	return false
}

// Existing implements Directory by a search, which lags.
func (a *Auth0) Existing(ctx context.Context, userIDs []string) (map[string]bool, error) {
	if err := checkCount(userIDs, auth0MaxIDs); err != nil {
		return nil, err
	}
	phrases := make([]string, len(userIDs))
	for i, id := range userIDs {
		phrases[i] = phrase(id)
	}
	users, err := a.search(ctx, "user_id:("+strings.Join(phrases, " OR ")+")")
	if err != nil {
		return nil, err
	}
	listed := make([]string, len(users))
	for i, u := range users {
		listed[i] = u.UserID
	}
	return matched(userIDs, listed)
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
func (a *Auth0) search(ctx context.Context, query string) ([]auth0User, error) {
	users, total, err := a.list(ctx, url.Values{"q": {query}, "search_engine": {"v3"}, "per_page": {strconv.Itoa(auth0MaxPage)}})
	if err == nil && total != len(users) {
		return nil, inconclusive("Auth0 says that %d users match and lists %d", total, len(users))
	}
	return users, err
}

func (a *Auth0) list(ctx context.Context, query url.Values) (users []auth0User, total int, err error) {
	for name, value := range map[string]string{
		"page": "0", "include_totals": "true", "fields": "user_id,identities", "include_fields": "true",
	} {
		query.Set(name, value)
	}
	response, err := a.get(ctx, query, "users")
	if err != nil {
		return nil, 0, err
	}
	var page struct {
		Users  []auth0User `json:"users"`
		Total  *int        `json:"total"`
		Length *int        `json:"length"`
	}
	if !response.decode(http.StatusOK, &page) || page.Users == nil || page.Total == nil || page.Length == nil || *page.Length != len(page.Users) ||
		slices.ContainsFunc(page.Users, func(u auth0User) bool { return u.UserID == "" }) {
		return nil, 0, inconclusive("Auth0 answered %d to a search for users, without a list and its total", response.Status)
	}
	return page.Users, *page.Total, nil
}

// inexistentUser is the errorCode of the Management API's 404 for a user; an
// unknown route has none.
const inexistentUser = "inexistent_user"

// IsDeleted implements Directory: GET /api/v2/users/{id}, which is immediately
// consistent, says that nobody has the id, and no user has it among the
// identities, where a user lives on who was linked to another one.
// https://auth0.com/docs/manage-users/user-search/get-users-by-id-or-email,
// https://auth0.com/docs/manage-users/user-accounts/user-account-linking
func (a *Auth0) IsDeleted(ctx context.Context, userID string) (Answer, error) {
	response, err := a.get(ctx, url.Values{"fields": {"user_id,identities"}, "include_fields": {"true"}}, "users", userID)
	if err != nil {
		return Answer{}, err
	}
	var user auth0User
	if response.decode(http.StatusOK, &user) && (user.UserID == userID || user.has(userID)) {
		return Answer{}, nil
	}
	var problem struct {
		StatusCode int    `json:"statusCode"`
		ErrorCode  string `json:"errorCode"`
	}
	if response.decode(http.StatusNotFound, &problem) && problem.StatusCode == http.StatusNotFound && problem.ErrorCode == inexistentUser {
		if linked, err := a.isLinked(ctx, userID); err != nil || linked {
			return Answer{}, err
		}
		err := a.options.Pinned.Allow(ctx, a.options.Tenant)
		return Answer{Deleted: err == nil, Instance: a.instance()}, err
	}
	return Answer{}, inconclusive("Auth0 answered %d to the lookup of a user, with neither that user nor %s", response.Status, inexistentUser)
}

// isLinked says whether the id is one of the identities of another user. The
// search may find users of whom one identity has the provider and another the
// id, so what it finds is looked at.
func (a *Auth0) isLinked(ctx context.Context, userID string) (bool, error) {
	strategy, id, found := strings.Cut(userID, "|")
	if !found {
		strategy, id = ProviderAuth0, userID
	}
	users, err := a.search(ctx, "identities.user_id:"+phrase(id)+" AND identities.provider:"+phrase(strategy))
	return slices.ContainsFunc(users, func(u auth0User) bool { return u.has(userID) || u.has(strategy+"|"+id) }), err
}

// instance is the tenant as events name it, a0tenant and tenant_name, "" when its
// domain does not say: only Auth0's own domains begin with it.
// https://auth0.com/docs/get-started/auth0-overview/create-tenants
func (a *Auth0) instance() string {
	name, domain, _ := strings.Cut(a.options.Tenant, ".")
	if domain != "auth0.com" && !strings.HasSuffix(domain, ".auth0.com") {
		return ""
	}
	return name
}

// Tenant returns the host of the tenant's own domain.
func (a *Auth0) Tenant() string { return a.options.Tenant }

// Check proves that the credentials work and may read users.
func (a *Auth0) Check(ctx context.Context) error {
	_, _, err := a.list(ctx, url.Values{"per_page": {"1"}})
	return err
}

func (a *Auth0) get(ctx context.Context, query url.Values, path ...string) (Response, error) {
	return a.do(ctx, Request{Method: http.MethodGet, Path: append([]string{"api", "v2"}, path...), Query: query})
}
