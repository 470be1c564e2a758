package directory

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
)

// ProviderAuth0 is the name of Auth0's route.
const ProviderAuth0 = "auth0"

const (
	// auth0MaxIDs keeps a question far below the length at which servers refuse a
	// request's first line, and its answer on one page.
	auth0MaxIDs = 50
	// auth0MaxPage is the most users that one page holds.
	// https://auth0.com/docs/manage-users/user-search/view-search-results-by-page
	auth0MaxPage = 100
	// auth0ReadLag is how long after two users were linked the search may still not know
	// it. Auth0 says "eventually consistent" and gives no time.
	// https://auth0.com/docs/manage-users/user-search
	auth0ReadLag = 30 * time.Second
)

// Auth0Options for New.
type Auth0Options struct {
	API *Client
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
	Instances Instances
}

// Auth0 asks the Management API of one tenant which users exist, and which
// events its Event Streams failed to deliver.
// https://auth0.com/docs/api/management/v2
type Auth0 struct {
	options Auth0Options
	token   auth0Token
	allowed atomic.Bool // Instances has allowed the tenant
}

// NewAuth0 returns the tenant's directory. It makes no request.
func NewAuth0(o Auth0Options) *Auth0 { return &Auth0{options: o, token: newAuth0Token(o)} }

// Source returns the directory with what has to be known about its ids, which
// are a strategy and the id there: "auth0|507f1f77bcf86cd799439020".
// https://auth0.com/docs/manage-users/user-accounts/identify-users
func (d *Auth0) Source() Source {
	form := regexp.MustCompile(`^[0-9A-Za-z_-]+\|.`)
	return Source{Directory: d, Provider: ProviderAuth0, MaxIDs: auth0MaxIDs, OwnsID: form.MatchString, ReadLag: auth0ReadLag}
}

// user is what is read of Auth0's User.
type auth0User struct {
	UserID     string          `json:"user_id"`
	Identities []auth0Identity `json:"identities"`
}

// identity is one account that a user can log in with. Its id has no strategy
// before it, and may be a number.
type auth0Identity struct {
	Provider string         `json:"provider"`
	UserID   jsontext.Value `json:"user_id"`
}

// is says whether the identity is the user with that id.
func (i auth0Identity) is(userID string) bool {
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

// Existing implements Directory by a search, which lags.
func (d *Auth0) Existing(ctx context.Context, userIDs []string) (map[string]bool, error) {
	if len(userIDs) == 0 || len(userIDs) > auth0MaxIDs {
		return nil, inconclusive("one question to Auth0 names 1 to %d users, not %d", auth0MaxIDs, len(userIDs))
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
			return nil, inconclusive("Auth0 lists users that it was not asked about")
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
func (d *Auth0) search(ctx context.Context, q string) ([]auth0User, error) {
	return d.list(ctx, url.Values{"q": {q}, "search_engine": {"v3"}, "per_page": {strconv.Itoa(auth0MaxPage)}}, true)
}

func (d *Auth0) list(ctx context.Context, query url.Values, complete bool) ([]auth0User, error) {
	for name, value := range map[string]string{
		"page": "0", "include_totals": "true", "fields": "user_id,identities", "include_fields": "true",
	} {
		query.Set(name, value)
	}
	answer, err := d.ask(ctx, Request{Method: http.MethodGet, Path: []string{"api", "v2", "users"}, Query: query})
	if err != nil {
		return nil, err
	}
	var page struct {
		Users  []auth0User `json:"users"`
		Total  *int        `json:"total"`
		Length *int        `json:"length"`
	}
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &page) != nil || page.Users == nil || page.Total == nil || page.Length == nil {
		return nil, inconclusive("Auth0 answers a search for users with %d and something else than a list with its total", answer.Status)
	}
	if *page.Length != len(page.Users) || complete && *page.Total != len(page.Users) {
		return nil, inconclusive("Auth0 says that %d users match and lists %d", *page.Total, len(page.Users))
	}
	for _, u := range page.Users {
		if u.UserID == "" {
			return nil, inconclusive("Auth0 lists a user without an id")
		}
	}
	return page.Users, nil
}

// inexistentUser is the errorCode of the Management API's 404 for a user; an
// unknown route has none.
const inexistentUser = "inexistent_user"

// IsDeleted implements Directory: GET /api/v2/users/{id}, which is
// immediately consistent, says that nobody has the id, and no user has it among
// the identities, where a user lives on who was linked to another one.
// https://auth0.com/docs/manage-users/user-search/get-users-by-id-or-email,
// https://auth0.com/docs/manage-users/user-accounts/user-account-linking
func (d *Auth0) IsDeleted(ctx context.Context, userID string) (Answer, error) {
	if err := checkID(userID); err != nil {
		return Answer{}, err
	}
	answer, err := d.ask(ctx, Request{
		Method: http.MethodGet, Path: []string{"api", "v2", "users", userID},
		Query: url.Values{"fields": {"user_id,identities"}, "include_fields": {"true"}},
	})
	if err != nil {
		return Answer{}, err
	}
	switch answer.Status {
	case http.StatusOK:
		var u auth0User
		if json.Unmarshal(answer.Body, &u) == nil && (u.UserID == userID || u.has(userID)) {
			return Answer{}, nil
		}
	case http.StatusNotFound:
		var problem struct {
			StatusCode int    `json:"statusCode"`
			ErrorCode  string `json:"errorCode"`
		}
		if json.Unmarshal(answer.Body, &problem) == nil && problem.StatusCode == http.StatusNotFound && problem.ErrorCode == inexistentUser {
			linked, err := d.linked(ctx, userID)
			if err != nil || linked {
				return Answer{}, err
			}
			err = d.allow(ctx)
			return Answer{Deleted: err == nil, Instance: d.tenant()}, err
		}
	}
	return Answer{}, inconclusive("Auth0 answers the question about one user with %d and neither that user nor %s", answer.Status, inexistentUser)
}

// allow asks once whether the tenant may be asked. Its credentials work nowhere
// else, so that they need no proof.
func (d *Auth0) allow(ctx context.Context) error {
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
func (d *Auth0) tenant() string {
	name, rest, _ := strings.Cut(d.options.Tenant, ".")
	if rest != "auth0.com" && !strings.HasSuffix(rest, ".auth0.com") {
		return ""
	}
	return name
}

func (u auth0User) has(userID string) bool {
	return slices.ContainsFunc(u.Identities, func(i auth0Identity) bool { return i.is(userID) })
}

// linked says whether the id is one of the identities of another user. The
// search may find users of whom one identity has the provider and another the
// id, so what it finds is looked at.
func (d *Auth0) linked(ctx context.Context, userID string) (bool, error) {
	strategy, id, found := strings.Cut(userID, "|")
	if !found {
		strategy, id = ProviderAuth0, userID
	}
	users, err := d.search(ctx, "identities.user_id:"+phrase(id)+" AND identities.provider:"+phrase(strategy))
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(users, func(u auth0User) bool { return u.has(userID) || u.has(strategy+"|"+id) }), nil
}

// Tenant returns the host of the tenant's own domain.
func (d *Auth0) Tenant() string { return d.options.Tenant }

// Check proves that the credentials work and may read users.
func (d *Auth0) Check(ctx context.Context) error {
	_, err := d.list(ctx, url.Values{"per_page": {"1"}}, false)
	return err
}
