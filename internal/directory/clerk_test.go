package directory_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/directory/directorytest"
)

var _ directory.Directory = (*directory.Clerk)(nil)

func newClerk(t *testing.T, api *directorytest.Clerk, change ...func(*directory.Clerk)) *directory.Clerk {
	t.Helper()
	client := directory.NewClient(directory.ClientOptions{Base: api.URL(), Timeout: time.Second, Now: time.Now})
	t.Cleanup(client.CloseIdleConnections)
	d := &directory.Clerk{API: client, SecretKey: func() string { return directorytest.ClerkKey }}
	for _, c := range change {
		c(d)
	}
	return d
}

func userIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("user_%04d", i)
	}
	return ids
}

func TestClerkListsWhichOfAHundredUsersExist(t *testing.T) {
	t.Parallel()
	api := directorytest.StartClerk(t)
	ids := userIDs(100)
	want := map[string]bool{}
	for _, id := range ids[:97] {
		api.AddUser(id)
		want[id] = true
	}
	api.AddUser("user_somebodyElse")
	existing, err := newClerk(t, api).Existing(t.Context(), ids)
	require.NoError(t, err)
	require.Equal(t, want, existing)
	require.Len(t, api.Calls(), 1)

	_, err = newClerk(t, api).Existing(t.Context(), userIDs(101))
	require.Equal(t, deletion.RetryDirectoryInconclusive, reasonOf(err))
	_, err = newClerk(t, api).Existing(t.Context(), nil)
	require.Equal(t, deletion.RetryDirectoryInconclusive, reasonOf(err), "no ids would list everybody")
}

func TestClerkSaysThatAUserIsDeleted(t *testing.T) {
	t.Parallel()
	api := directorytest.StartClerk(t)
	api.AddUser("user_1")
	d := newClerk(t, api)
	answer, err := d.IsDeleted(t.Context(), "user_1")
	require.NoError(t, err)
	require.False(t, answer.Deleted)

	api.DeleteUser("user_1")
	answer, err = d.IsDeleted(t.Context(), "user_1")
	require.NoError(t, err)
	require.True(t, answer.Deleted)
}

// faults are answers that are neither yes nor no, with the reason that is told.
func faults() map[string]struct {
	fault  directorytest.Fault
	reason deletion.RetryReason
} {
	type row = struct {
		fault  directorytest.Fault
		reason deletion.RetryReason
	}
	other := func(status int, contentType, body string) directorytest.Fault {
		return directorytest.Fault{Status: status, ContentType: contentType, Body: body}
	}
	const asJSON = "application/json"
	return map[string]row{
		"server error":                    {directorytest.Status(500), deletion.RetryDirectoryUnavailable},
		"gateway":                         {other(502, "text/html", "<h1>502</h1>"), deletion.RetryDirectoryUnavailable},
		"challenge":                       {other(403, "text/html", "<h1>human?</h1>"), deletion.RetryDirectoryUnavailable},
		"key refused":                     {directorytest.Status(401), deletion.RetryDirectoryUnauthorized},
		"key not allowed":                 {directorytest.Status(403), deletion.RetryDirectoryUnauthorized},
		"rate limited":                    {directorytest.RateLimited(7 * time.Second), rateLimited},
		"JSON of another form":            {directorytest.WrongJSON(), deletion.RetryDirectoryInconclusive},
		"JSON that ends early":            {directorytest.CutJSON(), deletion.RetryDirectoryInconclusive},
		"null":                            {other(200, asJSON, "null"), deletion.RetryDirectoryInconclusive},
		"nothing":                         {other(200, asJSON, ""), deletion.RetryDirectoryInconclusive},
		"a login page":                    {directorytest.HTMLPage(), deletion.RetryDirectoryInconclusive},
		"a redirect":                      {directorytest.Redirect("https://example.com/"), deletion.RetryDirectoryInconclusive},
		"404 of an unknown route":         {other(404, asJSON, `{"errors":[{"code":"route_not_found"}]}`), deletion.RetryDirectoryInconclusive},
		"404 without a code":              {other(404, asJSON, `{}`), deletion.RetryDirectoryInconclusive},
		"404 as HTML":                     {other(404, "text/html", `{"errors":[{"code":"resource_not_found"}]}`), deletion.RetryDirectoryInconclusive},
		"404 with a code in capitals":     {other(404, asJSON, `{"Errors":[{"Code":"resource_not_found"}]}`), deletion.RetryDirectoryInconclusive},
		"410":                             {other(410, asJSON, `{"errors":[{"code":"resource_not_found"}]}`), deletion.RetryDirectoryInconclusive},
		"a user that was not asked about": {other(200, asJSON, `{"object":"user","id":"user_2"}`), deletion.RetryDirectoryInconclusive},
		"nobody":                          {other(200, asJSON, `{"object":"user"}`), deletion.RetryDirectoryInconclusive},
		"no answer in time":               {directorytest.Fault{Hang: true}, deletion.RetryDirectoryUnavailable},
	}
}

func TestClerkAnswerThatIsInconclusive(t *testing.T) {
	t.Parallel()
	for name, tt := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := directorytest.StartClerk(t) // user_1 does not exist: "deleted" would be true
			api.FailNext(tt.fault)
			answer, err := newClerk(t, api).IsDeleted(t.Context(), "user_1")
			require.Equal(t, tt.reason, reasonOf(err), err)
			require.False(t, answer.Deleted)
			if tt.reason == rateLimited {
				require.Equal(t, 7*time.Second, retryAfter(err))
			}

			api.FailNext(tt.fault)
			_, err = newClerk(t, api).Existing(t.Context(), []string{"user_1"})
			require.Equal(t, tt.reason, reasonOf(err), err)
		})
	}
}

func TestClerkListOfOtherUsersIsAnError(t *testing.T) {
	t.Parallel()
	api := directorytest.StartClerk(t)
	for _, foreign := range [][]string{{"user_other"}, {"user_1", "user_1"}, {""}} {
		api.FailNext(directorytest.ForeignList(foreign...))
		_, err := newClerk(t, api).Existing(t.Context(), []string{"user_1"})
		require.Equal(t, deletion.RetryDirectoryInconclusive, reasonOf(err))
	}
}

// pinnedTo allows one instance.
func pinnedTo(instance string) *directory.PinnedInstance {
	return &directory.PinnedInstance{Store: noInstances{}, Provider: directory.ProviderClerk, Named: []string{instance}}
}

// noInstances remembers nothing.
type noInstances struct{}

func (noInstances) Instance(context.Context, string) (string, error) { return "", nil }
func (noInstances) FirstInstance(_ context.Context, _, asked string) (string, error) {
	return asked, nil
}
func (noInstances) SetInstance(context.Context, string, string) error { return nil }

func TestNobodyIsDeletedForAKeyOfAnotherInstance(t *testing.T) {
	t.Parallel()
	api := directorytest.StartClerk(t)
	_, err := newClerk(t, api, func(d *directory.Clerk) { d.Pinned = pinnedTo("ins_other") }).IsDeleted(t.Context(), "user_1")
	require.Equal(t, deletion.RetryDirectoryOtherInstance, reasonOf(err))

	answer, err := newClerk(t, api, func(d *directory.Clerk) { d.Pinned = pinnedTo(directorytest.ClerkInstance) }).IsDeleted(t.Context(), "user_1")
	require.NoError(t, err)
	require.Equal(t, directory.Answer{Deleted: true, Instance: directorytest.ClerkInstance}, answer)
}

func TestEveryClerkKeyIsVerifiedOnce(t *testing.T) {
	t.Parallel()
	api := directorytest.StartClerk(t)
	api.AddInstance("sk_test_marker_of_another", "ins_another", "user_1")
	api.AddUser("user_1")
	key := directorytest.ClerkKey
	d := newClerk(t, api, func(d *directory.Clerk) {
		d.SecretKey, d.Pinned = func() string { return key }, pinnedTo(directorytest.ClerkInstance)
	})
	answer, err := d.IsDeleted(t.Context(), "user_2")
	require.NoError(t, err)
	require.True(t, answer.Deleted)
	calls := len(api.Calls())
	_, err = d.IsDeleted(t.Context(), "user_2")
	require.NoError(t, err)
	require.Len(t, api.Calls(), calls+1, "once a key")

	key = "sk_test_marker_of_another"
	_, err = d.IsDeleted(t.Context(), "user_2")
	require.Equal(t, deletion.RetryDirectoryOtherInstance, reasonOf(err))
	key = directorytest.ClerkKey
	_, err = d.IsDeleted(t.Context(), "user_2")
	require.NoError(t, err)
}

func TestNobodyIsDeletedBeforeTheListWorked(t *testing.T) {
	t.Parallel()
	api := directorytest.StartClerk(t)
	api.SetFault(func(r *http.Request) directorytest.Fault {
		if r.URL.Path == "/v1/users" {
			return directorytest.WrongJSON()
		}
		return directorytest.Fault{}
	})
	_, err := newClerk(t, api).IsDeleted(t.Context(), "user_1")
	require.Equal(t, deletion.RetryDirectoryInconclusive, reasonOf(err))
}

func TestIDsStayOneSegment(t *testing.T) {
	t.Parallel()
	api := directorytest.StartClerk(t)
	d := newClerk(t, api)
	for _, id := range []string{"", ".", ".."} {
		_, err := d.IsDeleted(t.Context(), id)
		require.Equal(t, deletion.RetryDirectoryInconclusive, reasonOf(err))
	}
	require.Empty(t, api.Calls())
	_, err := d.IsDeleted(t.Context(), "user_1/../user_2?a#b")
	require.Equal(t, deletion.RetryDirectoryInconclusive, reasonOf(err))
	require.Equal(t, []string{"GET /v1/users/user_1/../user_2?a#b"}, api.Calls())
}

func TestAfterA429NothingIsSentUntilTheTimeIsOver(t *testing.T) {
	t.Parallel()
	api := directorytest.StartClerk(t)
	clock := time.Now()
	client := directory.NewClient(directory.ClientOptions{Base: api.URL(), Timeout: time.Second, Now: func() time.Time { return clock }})
	d := &directory.Clerk{API: client, SecretKey: func() string { return directorytest.ClerkKey }}
	api.FailNext(directorytest.RateLimited(10 * time.Second))
	for range 2 {
		_, err := d.IsDeleted(t.Context(), "user_1")
		require.Equal(t, rateLimited, reasonOf(err))
	}
	require.Len(t, api.Calls(), 1)
	clock = clock.Add(10 * time.Second)
	answer, err := d.IsDeleted(t.Context(), "user_1")
	require.NoError(t, err)
	require.True(t, answer.Deleted)
}

func TestTheLastRequestOfAWindowIsRemembered(t *testing.T) {
	t.Parallel()
	api := directorytest.StartClerk(t)
	spent := directorytest.Fault{Header: http.Header{
		"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {fmt.Sprint(time.Now().Add(time.Minute).Unix())},
	}}
	api.FailNext(spent)
	d := newClerk(t, api)
	_, err := d.Existing(t.Context(), []string{"user_1"})
	require.NoError(t, err)
	_, err = d.Existing(t.Context(), []string{"user_1"})
	require.Equal(t, rateLimited, reasonOf(err))
	require.InDelta(t, 60, retryAfter(err).Seconds(), 2)
	require.Len(t, api.Calls(), 1)
}

func TestErrorsNameNoSecretAndNoID(t *testing.T) {
	t.Parallel()
	api := directorytest.StartClerk(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, f := range faults() {
		for _, ctx := range []context.Context{t.Context(), cancelled} {
			api.FailNext(f.fault)
			_, err := newClerk(t, api).IsDeleted(ctx, "user_marker")
			require.Error(t, err)
			require.NotContains(t, fmt.Sprintf("%v %+v", err, err), "marker")
			require.NotContains(t, err.Error(), "http")
		}
	}
}

func TestClerkOwnsItsIDs(t *testing.T) {
	t.Parallel()
	ownsID := new(directory.Clerk).Source().OwnsID
	for id, want := range map[string]bool{
		"user_29wBMCtzATuFJut8jO2VNTVekS4": true, "user_": false, "auth0|1": false, "42": false, "": false, "user_a b": false, "org_1": false,
	} {
		require.Equal(t, want, ownsID(id), id)
	}
}
