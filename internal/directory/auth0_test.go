package directory_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/directory/directorytest"
)

var _ directory.Directory = (*directory.Auth0)(nil)

func newAuth0(t *testing.T, api *directorytest.Auth0, change ...func(*directory.Auth0Options)) *directory.Auth0 {
	t.Helper()
	client := directory.NewClient(directory.ClientOptions{Base: api.URL(), Timeout: time.Second, Now: time.Now})
	t.Cleanup(client.CloseIdleConnections)
	o := directory.Auth0Options{
		API: client, Audience: api.URL().String() + "/api/v2/", ClientID: directorytest.Auth0ClientID,
		ClientSecret: func() string { return directorytest.Auth0ClientSecret }, Now: time.Now,
	}
	for _, c := range change {
		c(&o)
	}
	return directory.NewAuth0(o)
}

// oddIDs are ids as tenants have them, and as nobody should.
func oddIDs() []string {
	return []string{
		"auth0|507f1f77bcf86cd799439020", "google-oauth2|115015401343387192604", "sms|560ebaeef609ee1adaa7c551",
		"samlp|example-samlp-connection|username@domain.com", `auth0|with "quotes" and \backslash`, "auth0|a/b?c#d", "auth0|ü OR *", "auth0|)",
	}
}

func TestAuth0ListsWhichOfFiftyUsersExist(t *testing.T) {
	t.Parallel()
	api := directorytest.StartAuth0(t)
	ids := oddIDs()
	for i := len(ids); i < 50; i++ {
		ids = append(ids, fmt.Sprintf("auth0|%024d", i))
	}
	want := map[string]bool{}
	for _, id := range ids[:47] {
		api.AddUser(id)
		want[id] = true
	}
	api.AddUser("auth0|somebody else")
	existing, err := newAuth0(t, api).Existing(t.Context(), ids)
	require.NoError(t, err)
	require.Equal(t, want, existing)
	require.Equal(t, []string{"POST /oauth/token", "GET /api/v2/users"}, api.Calls())
}

func TestAuth0SaysThatAUserIsDeleted(t *testing.T) {
	t.Parallel()
	for _, id := range oddIDs() {
		api := directorytest.StartAuth0(t)
		d := newAuth0(t, api)
		api.AddUser(id)
		if strings.Contains(id, "/") {
			continue // the stand-in has no such route
		}
		answer, err := d.IsDeleted(t.Context(), id)
		require.NoError(t, err, id)
		require.False(t, answer.Deleted)
		api.DeleteUser(id)
		answer, err = d.IsDeleted(t.Context(), id)
		require.NoError(t, err, id)
		require.True(t, answer.Deleted)
	}
}

func TestALinkedAuth0UserExists(t *testing.T) {
	t.Parallel()
	api := directorytest.StartAuth0(t)
	api.AddUser("auth0|primary", "google-oauth2|secondary", "github|4711", "samlp|connection|name@example.com")
	d := newAuth0(t, api)
	for _, id := range []string{"google-oauth2|secondary", "github|4711", "samlp|connection|name@example.com"} {
		answer, err := d.IsDeleted(t.Context(), id)
		require.NoError(t, err)
		require.False(t, answer.Deleted, id)
	}
	// Both halves match, but not in one identity.
	answer, err := d.IsDeleted(t.Context(), "auth0|secondary")
	require.NoError(t, err)
	require.True(t, answer.Deleted)
}

func TestAuth0AnswerThatIsInconclusive(t *testing.T) {
	t.Parallel()
	other := func(status int, contentType, body string) directorytest.Fault {
		return directorytest.Fault{Status: status, ContentType: contentType, Body: body}
	}
	const asJSON = "application/json"
	for name, tt := range map[string]struct {
		fault  directorytest.Fault
		reason deletion.RetryReason
	}{
		"server error":         {directorytest.Status(500), deletion.RetryDirectoryUnavailable},
		"challenge":            {other(403, "text/html", "human?"), deletion.RetryDirectoryUnavailable},
		"scope missing":        {directorytest.Status(403), deletion.RetryDirectoryUnauthorized},
		"rate limited":         {directorytest.RateLimited(time.Second), rateLimited},
		"JSON of another form": {directorytest.WrongJSON(), deletion.RetryDirectoryInconclusive},
		"JSON that ends early": {directorytest.CutJSON(), deletion.RetryDirectoryInconclusive},
		"a login page":         {directorytest.HTMLPage(), deletion.RetryDirectoryInconclusive},
		"a redirect":           {directorytest.Redirect("https://example.com/"), deletion.RetryDirectoryInconclusive},
		"404 of a route":       {other(404, asJSON, `{"statusCode":404,"error":"Not Found"}`), deletion.RetryDirectoryInconclusive},
		"400 with the code":    {other(400, asJSON, `{"statusCode":400,"errorCode":"inexistent_user"}`), deletion.RetryDirectoryInconclusive},
		"somebody else":        {other(200, asJSON, `{"user_id":"auth0|2","identities":[]}`), deletion.RetryDirectoryInconclusive},
		"no total":             {other(200, asJSON, `{"users":[],"length":0}`), deletion.RetryDirectoryInconclusive},
		"a larger total":       {other(200, asJSON, `{"users":[],"length":0,"total":1}`), deletion.RetryDirectoryInconclusive},
		"another length":       {other(200, asJSON, `{"users":[],"length":1,"total":0}`), deletion.RetryDirectoryInconclusive},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := directorytest.StartAuth0(t)
			for _, path := range []string{"/api/v2/users/auth0|1", "/api/v2/users"} {
				api.SetFault(func(r *http.Request) directorytest.Fault {
					if r.URL.Path != path {
						return directorytest.Fault{}
					}
					return tt.fault
				})
				answer, err := newAuth0(t, api).IsDeleted(t.Context(), "auth0|1")
				require.Equal(t, tt.reason, reasonOf(err), err)
				require.False(t, answer.Deleted)
			}
			_, err := newAuth0(t, api).Existing(t.Context(), []string{"auth0|1"})
			require.Equal(t, tt.reason, reasonOf(err), err)
		})
	}
}

func TestAuth0TokenIsKeptAndRenewed(t *testing.T) {
	t.Parallel()
	api := directorytest.StartAuth0(t)
	var mutex sync.Mutex
	clock := time.Now()
	d := newAuth0(t, api, func(o *directory.Auth0Options) {
		o.Now = func() time.Time { mutex.Lock(); defer mutex.Unlock(); return clock }
	})
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() { _, _ = d.IsDeleted(t.Context(), "auth0|1") })
	}
	asking.Wait()
	require.Equal(t, 1, api.Issued())

	mutex.Lock()
	clock = clock.Add(24*time.Hour - time.Minute)
	mutex.Unlock()
	_, err := d.IsDeleted(t.Context(), "auth0|1")
	require.NoError(t, err)
	require.Equal(t, 2, api.Issued())

	api.RevokeTokens()
	answer, err := d.IsDeleted(t.Context(), "auth0|1")
	require.NoError(t, err)
	require.True(t, answer.Deleted)
	require.Equal(t, 3, api.Issued())
}

func TestAuth0CredentialsThatAreNoGood(t *testing.T) {
	t.Parallel()
	api := directorytest.StartAuth0(t, "read:event_streams")
	for _, change := range []func(*directory.Auth0Options){
		func(o *directory.Auth0Options) { o.ClientSecret = func() string { return "marker" } },
		func(o *directory.Auth0Options) { o.Audience = "https://example.com/api/v2/" },
		func(*directory.Auth0Options) {}, // lacks read:users
	} {
		d := newAuth0(t, api, change)
		require.Equal(t, deletion.RetryDirectoryUnauthorized, reasonOf(d.Check(t.Context())))
		_, err := d.IsDeleted(t.Context(), "auth0|1")
		require.Equal(t, deletion.RetryDirectoryUnauthorized, reasonOf(err))
		require.NotContains(t, err.Error(), "marker")
	}
	for _, odd := range []directorytest.Fault{
		directorytest.HTMLPage(), directorytest.WrongJSON(),
		{Status: 200, ContentType: "application/json", Body: `{"access_token":"a b","token_type":"Bearer","expires_in":60}`},
		{Status: 200, ContentType: "application/json", Body: `{"access_token":"ab","token_type":"Bearer"}`},
	} {
		api.FailNext(odd)
		require.Equal(t, deletion.RetryDirectoryInconclusive, reasonOf(newAuth0(t, api).Check(t.Context())))
	}
	require.NoError(t, newAuth0(t, directorytest.StartAuth0(t)).Check(t.Context()))
}

func TestAuth0FailedDeliveriesAreFoundAndRepeated(t *testing.T) {
	t.Parallel()
	api := directorytest.StartAuth0(t, directory.Auth0ScopeStreams, directory.Auth0ScopeDeliveries, directory.Auth0ScopeRedeliver)
	var failed []string
	for i := range 120 {
		failed = append(failed, fmt.Sprintf("evt_%022d", i))
	}
	api.AddStream(directorytest.Stream{ID: "est_1", Name: "deletions", Failed: failed})
	api.AddStream(directorytest.Stream{ID: "est_2", Name: "old", Disabled: true})
	d := newAuth0(t, api)
	streams, err := d.Streams(t.Context())
	require.NoError(t, err)
	require.Equal(t, []directory.Auth0Stream{{ID: "est_1", Name: "deletions", Enabled: true}, {ID: "est_2", Name: "old"}}, streams)

	deliveries, err := d.FailedDeliveries(t.Context(), "est_1")
	require.NoError(t, err)
	require.Len(t, deliveries, 120)
	require.Equal(t, directory.Auth0Delivery{
		EventID: failed[119], StreamID: "est_1", Attempts: 2, LastAt: time.Date(2026, 11, 23, 10, 0, 7, 0, time.UTC), Error: "\u202estatus 503",
	}, deliveries[119])
	require.NoError(t, d.Redeliver(t.Context(), "est_1", failed[3]))
	require.Equal(t, []string{failed[3]}, api.Redelivered())
	require.Error(t, d.Redeliver(t.Context(), "est_2", failed[3]))

	api.FailNext(directorytest.WrongJSON())
	_, err = d.FailedDeliveries(t.Context(), "est_1")
	require.Equal(t, deletion.RetryDirectoryInconclusive, reasonOf(err))
	scopes, err := d.Scopes(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{directory.Auth0ScopeStreams, directory.Auth0ScopeDeliveries, directory.Auth0ScopeRedeliver}, scopes)
}

func TestAuth0OwnsItsIDs(t *testing.T) {
	t.Parallel()
	ownsID := directory.NewAuth0(directory.Auth0Options{}).Source().OwnsID
	for _, id := range oddIDs() {
		require.True(t, ownsID(id), id)
	}
	for _, id := range []string{"", "|", "auth0|", "user_1", "42", "a b|c"} {
		require.False(t, ownsID(id), id)
	}
}

func TestAnAnswerNamesItsTenant(t *testing.T) {
	t.Parallel()
	api := directorytest.StartAuth0(t)
	api.AddUser("auth0|existing")
	for host, want := range map[string]string{
		"example.eu.auth0.com": "example", "example.auth0.com": "example",
		"login.example.com": "", "auth0.com": "", "example.notauth0.com": "", "": "",
	} {
		d := newAuth0(t, api, func(o *directory.Auth0Options) { o.Tenant = host })
		answer, err := d.IsDeleted(t.Context(), "auth0|gone")
		require.NoError(t, err)
		require.Equal(t, directory.Answer{Deleted: true, Instance: want}, answer, host)
	}
	answer, err := newAuth0(t, api).IsDeleted(t.Context(), "auth0|existing")
	require.NoError(t, err)
	require.Equal(t, directory.Answer{}, answer)
}
