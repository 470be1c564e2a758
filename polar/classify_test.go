package polar_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar"
)

// wantedResults is the contract's table for answers without a body, written
// down apart from the code: statuses that are not in it are unexpected.
func wantedResults() map[int]polar.Result {
	wanted := map[int]polar.Result{
		204: polar.ResultDeleted,
		400: polar.ResultRejected,
		401: polar.ResultUnauthorized,
		403: polar.ResultForbidden,
		408: polar.ResultServerError,
		422: polar.ResultRejected,
		425: polar.ResultServerError,
		429: polar.ResultRateLimited,
	}
	for status := 500; status <= 599; status++ {
		wanted[status] = polar.ResultServerError
	}
	for status := 100; status <= 599; status++ {
		if _, ok := wanted[status]; !ok {
			wanted[status] = polar.ResultUnexpected
		}
	}
	return wanted
}

// lostStatuses are the gateways' statuses after which Polar may have done it.
func lostStatuses() map[int]bool {
	return map[int]bool{502: true, 504: true, 520: true, 524: true}
}

func TestClassifyEveryStatus(t *testing.T) {
	t.Parallel()
	wanted := wantedResults()
	require.Len(t, wanted, 500)
	for status, want := range wanted {
		answer := polar.Classify(status, http.Header{}, nil, time.Now())
		require.Equal(t, want, answer.Result, "status %d", status)
		require.Equal(t, status, answer.StatusCode)
		require.Equal(t, lostStatuses()[status], answer.AnswerLost, "status %d", status)
		require.Equal(t, status == 429, answer.RetryAfter > 0, "status %d", status)
	}
}

func TestEveryStatusOverHTTP(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.URL.Path[len("/v1/customers/external/"):])
		if err != nil {
			status = http.StatusTeapot
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	client := newClient(t, server.URL)
	for status, want := range wantedResults() {
		if status < 200 {
			continue // net/http reads 1xx as a prelude to the answer
		}
		answer, err := client.DeleteCustomer(t.Context(), strconv.Itoa(status), false)
		require.NoError(t, err, "status %d", status)
		require.Equal(t, want, answer.Result, "status %d", status)
		require.Equal(t, status, answer.StatusCode)
		require.Equal(t, lostStatuses()[status], answer.AnswerLost, "status %d", status)
	}
}

func TestClassifyBodies(t *testing.T) {
	t.Parallel()
	const (
		plainJSON = "application/json"
		html      = "text/html; charset=UTF-8"
	)
	tests := []struct {
		name   string
		status int
		kind   string
		body   string
		want   polar.Result
		code   string
	}{
		{"404 A, no such customer", 404, plainJSON, `{"error":"ResourceNotFound","detail":"Not found"}`, polar.ResultNotFound, "ResourceNotFound"},
		{"404 A with spaces", 404, plainJSON, " {\n\"error\" : \"ResourceNotFound\" } ", polar.ResultNotFound, "ResourceNotFound"},
		{"404 B and C, no such route or version", 404, plainJSON, `{"detail":"Not Found"}`, polar.ResultUnexpected, ""},
		{"404 without a body", 404, "", "", polar.ResultUnexpected, ""},
		{"404 page", 404, html, "<html>ResourceNotFound</html>", polar.ResultUnexpected, ""},
		{"404 with another error", 404, plainJSON, `{"error":"Other"}`, polar.ResultUnexpected, "Other"},
		{"404 with a folded name", 404, plainJSON, `{"Error":"ResourceNotFound"}`, polar.ResultUnexpected, ""},
		{"404 with a folded value", 404, plainJSON, `{"error":"resourcenotfound"}`, polar.ResultUnexpected, "resourcenotfound"},
		{"404 with the name twice", 404, plainJSON, `{"error":"x","error":"ResourceNotFound"}`, polar.ResultUnexpected, ""},
		{"404 with any name twice", 404, plainJSON, `{"error":"ResourceNotFound","detail":{"a":1,"a":2}}`, polar.ResultUnexpected, ""},
		{"404 with an escaped name twice", 404, plainJSON, `{"error":"ResourceNotFound","\u0065rror":"x"}`, polar.ResultUnexpected, ""},
		{"404 with the code nested", 404, plainJSON, `{"detail":{"error":"ResourceNotFound"}}`, polar.ResultUnexpected, ""},
		{"404 with a list", 404, plainJSON, `[{"error":"ResourceNotFound"}]`, polar.ResultUnexpected, ""},
		{"404 with a list as code", 404, plainJSON, `{"error":["ResourceNotFound"]}`, polar.ResultUnexpected, ""},
		{"404 with null as code", 404, plainJSON, `{"error":null}`, polar.ResultUnexpected, ""},
		{"404 with trailing data", 404, plainJSON, `{"error":"ResourceNotFound"}{}`, polar.ResultUnexpected, ""},
		{"404 with half a body", 404, plainJSON, `{"error":"ResourceNotFound","det`, polar.ResultUnexpected, ""},
		{"404 that is not UTF-8", 404, plainJSON, "{\"error\":\"ResourceNotFound\",\"detail\":\"\xff\"}", polar.ResultUnexpected, ""},
		{"410 is not a 404", 410, plainJSON, `{"error":"ResourceNotFound"}`, polar.ResultUnexpected, "ResourceNotFound"},
		{"401 invalid token", 401, plainJSON, `{"error": "invalid_token", "error_description": "x"}`, polar.ResultUnauthorized, "invalid_token"},
		{"401 without a token", 401, plainJSON, `{"error":"Unauthorized","detail":"Unauthorized"}`, polar.ResultUnauthorized, "Unauthorized"},
		{"401 page", 401, html, "<html>", polar.ResultUnauthorized, ""},
		{"403 insufficient scope", 403, plainJSON, `{"error": "insufficient_scope"}`, polar.ResultUnauthorized, "insufficient_scope"},
		{"403 of Cloudflare, error 1020", 403, plainJSON, `{"type":"https://developers.cloudflare.com/x","title":"Error 1020: Access denied","status":403,"error_code":1020,"cloudflare_error":true}`, polar.ResultForbidden, ""},
		{"403 with the scope in another member", 403, plainJSON, `{"error":"NotPermitted","detail":"insufficient_scope"}`, polar.ResultForbidden, "NotPermitted"},
		{"403 with the scope in a header only", 403, plainJSON, `{}`, polar.ResultForbidden, ""},
		{"403 not permitted", 403, "application/json; charset=utf-8", `{"error":"NotPermitted"}`, polar.ResultForbidden, "NotPermitted"},
		{"403 of a problem type", 403, "application/problem+json", `{}`, polar.ResultForbidden, ""},
		{"403 challenge", 403, html, "<html>Just a moment...</html>", polar.ResultForbidden, ""},
		{"403 page that looks like JSON", 403, html, `{"error":"x"}`, polar.ResultForbidden, "x"},
		{"403 that only claims JSON", 403, plainJSON, "<html>", polar.ResultForbidden, ""},
		{"403 with a JSON string", 403, plainJSON, `"x"`, polar.ResultForbidden, ""},
		{"403 with null", 403, plainJSON, `null`, polar.ResultForbidden, ""},
		{"422", 422, plainJSON, `{"error":"RequestValidationError","detail":[]}`, polar.ResultRejected, "RequestValidationError"},
		{"500 with an unprintable code", 500, plainJSON, `{"error":"a\u001b[2Jb"}`, polar.ResultServerError, ""},
		{"200 that says deleted", 200, plainJSON, `{"error":"ResourceNotFound"}`, polar.ResultUnexpected, "ResourceNotFound"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer := polar.Classify(tt.status, http.Header{"Content-Type": {tt.kind}}, []byte(tt.body), time.Now())
			require.Equal(t, tt.want, answer.Result)
			require.Equal(t, tt.code, answer.ErrorCode)
		})
	}
}

func TestClassifyKeepsShortPrintableTexts(t *testing.T) {
	t.Parallel()
	answer := polar.Classify(204, http.Header{"Polar-Version": {"2026-10"}, "Cf-Ray": {"8f1-FRA"}}, nil, time.Now())
	require.Equal(t, "2026-10", answer.Version)
	require.Equal(t, "8f1-FRA", answer.RequestID)

	long := string(make([]byte, 65))
	answer = polar.Classify(204, http.Header{"Polar-Version": {long}, "Cf-Ray": {"a b"}}, nil, time.Now())
	require.Empty(t, answer.Version)
	require.Empty(t, answer.RequestID)
}

func TestClassifyReadsTheOtherClock(t *testing.T) {
	t.Parallel()
	date := time.Date(2026, time.November, 23, 8, 30, 1, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"Mon, 23 Nov 2026 08:30:01 GMT": date, "": {}, "yesterday": {}, "1795422601": {},
	} {
		answer := polar.Classify(204, http.Header{"Date": {text}}, nil, time.Now())
		require.True(t, want.Equal(answer.Date), "%q: %s", text, answer.Date)
	}
}

func TestResultsAreTheMetricLabels(t *testing.T) {
	t.Parallel()
	require.ElementsMatch(t, []polar.Result{
		"deleted", "not_found", "rate_limited", "unauthorized", "forbidden", "rejected", "server_error", "network_error", "unexpected",
	}, polar.Results())
}

// newClient returns a client of the server with the token that polartest takes.
func newClient(t *testing.T, server string, change ...func(*polar.Options)) *polar.Client {
	t.Helper()
	base, err := url.Parse(server)
	require.NoError(t, err)
	options := polar.Options{BaseURL: base, Token: func() string { return "polar_oat_test" }, Timeout: time.Minute}
	for _, apply := range change {
		apply(&options)
	}
	client := polar.New(options)
	t.Cleanup(client.CloseIdleConnections)
	return client
}
