package e2e_test

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// The operator's fields reach the provider, and the send command.
func TestStandardWebhooksOfASenderWithItsOwnFields(t *testing.T) {
	t.Parallel()
	e, ok := everyProvider().Lookup("standard")
	require.True(t, ok)
	s := senderOf(t, e)
	env := newProviderEnvironment(t, e, s, "STANDARD_EVENT_TYPES=account.gone, account.purged", "STANDARD_TYPE_FIELD=/event", "STANDARD_ID_FIELD=/user/uid")
	for _, id := range []string{gone, living} {
		env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
	}
	p := env.start(t)
	for body, status := range map[string]int{
		`{"type":"user.deleted","data":{"id":"user_here"}}`:                                       200,
		`{"event":"user.deleted","user":{"uid":"user_here"}}`:                                     200,
		`{"event":"account.gone","user":{"uid":null},"data":{"id":"user_here"}}`:                  202, // held
		`{"event":"account.purged","user":{"uid":"user_gone"},"actor":{"uid":"user_here"}}`:       202,
		`{"event":"account.created","user":{"uid":"user_here"},"was":{"event":"account.purged"}}`: 200,
	} {
		header, sent := s.sign(t, s.secret, time.Now(), []byte(body))
		p.deliver(t, delivery{e.Name, header, sent}, status)
	}
	env.waitDeleted(t, []string{gone}, 20*time.Second)
	require.Equal(t, 1, env.deletes())

	send := exec.Command(os.Getenv(binaryVariable), "send", "standard", "--url", p.webhooks)
	for name, value := range env.settings {
		send.Env = append(send.Env, name+"="+value)
	}
	out, err := send.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), `202 {"status":"accepted"`)
}

func TestOktaVerifiesItsHookBeforeItSendsAnything(t *testing.T) {
	t.Parallel()
	e, ok := everyProvider().Lookup("okta")
	require.True(t, ok)
	s := senderOf(t, e)
	// The pattern wraps the provider, which must stay what it is.
	env := newProviderEnvironment(t, e, s, "EXTERNAL_ID_PATTERN=^user_", "CLERK_WEBHOOK_SIGNING_SECRET="+clerkKey)
	env.polar.AddCustomer(polartest.Customer{ExternalID: gone})
	p := env.start(t)
	ask := func(route string, header http.Header) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.webhooks+"/webhooks/"+route, http.NoBody)
		require.NoError(t, err)
		request.Header = header
		return answerTo(t, request)
	}
	challenge := http.Header{"Authorization": {s.secret}, "X-Okta-Verification-Challenge": {"Me_rShK8JHsTnbyYrWXCEoMGbM"}}
	status, body := ask("okta", challenge)
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"verification":"Me_rShK8JHsTnbyYrWXCEoMGbM"}`, body)
	status, slashed := ask("okta/", challenge)
	require.Equal(t, 200, status)
	require.Equal(t, body, slashed)
	for _, token := range [][]string{nil, {""}, {otherToken}} {
		status, body = ask("okta", http.Header{"Authorization": token, "X-Okta-Verification-Challenge": {"Me_rShK8JHsTnbyYrWXCEoMGbM"}})
		require.Equal(t, 401, status)
		require.NotContains(t, body, "Me_rShK8JHsTnbyYrWXCEoMGbM")
	}
	status, _ = ask("clerk", challenge)
	require.Equal(t, 405, status)
	p.says(t, `"reason":"challenge"`)
	require.NotContains(t, p.output(), "Me_rShK8JHsTnbyYrWXCEoMGbM")

	require.Empty(t, p.deliver(t, s.deliver(t, e, s.secret, gone, time.Now()), 200))
	env.waitDeleted(t, []string{gone}, 20*time.Second)
}

func answerTo(t *testing.T, request *http.Request) (int, string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // only read
	var body bytes.Buffer
	_, err = body.ReadFrom(response.Body)
	require.NoError(t, err)
	return response.StatusCode, body.String()
}

func TestSendListsEveryProvider(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(os.Getenv(binaryVariable), "send", "--list").Output()
	require.NoError(t, err)
	for _, e := range everyProvider() {
		require.Regexp(t, `(?m)^`+e.Name+` +.*`+e.EnabledBy, string(out))
	}
}
