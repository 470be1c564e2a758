package polartest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

const external = "/v1/customers/external/"

// reply is what the tests look at besides the body.
type reply struct {
	StatusCode int
	Header     http.Header
}

// sameBytes holds that a body is right to the byte: clients have relied on less.
func sameBytes(t *testing.T, want, body string) {
	t.Helper()
	require.Equal(t, want, body)
}

// call makes one request by hand, as raw as it is given, with headers as
// "Name: value" lines, and returns the answer with its body.
func call(t *testing.T, server *polartest.Server, method, target string, headers ...string) (reply, string) {
	t.Helper()
	connection, err := net.Dial("tcp", server.URL().Host)
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: polar.test", "Connection: close"}, headers...)
	_, err = io.WriteString(connection, strings.Join(lines, "\r\n")+"\r\n\r\n")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: method})
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return reply{response.StatusCode, response.Header}, string(body)
}

// bearer is the header of a token.
func bearer(token string) string { return "Authorization: Bearer " + token }

const (
	good      = "Authorization: Bearer polar_oat_test"
	notFoundA = `{"error":"ResourceNotFound","detail":"Not found"}`
	notFoundB = `{"detail":"Not Found"}`
)

func TestDeleteTwice(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{Sandbox: true})
	server.AddCustomer(polartest.Customer{ExternalID: "u"})
	require.True(t, server.Exists("u"))

	response, body := call(t, server, "DELETE", external+"u?anonymize=true", good)
	require.Equal(t, 204, response.StatusCode)
	require.Empty(t, body)
	require.Equal(t, "private, no-store", response.Header.Get("Cache-Control"))
	require.Equal(t, polartest.CurrentVersion, response.Header.Get("Polar-Version"))
	require.Equal(t, "1", response.Header.Get("X-Polar-Sandbox"))
	require.NotContains(t, response.Header, "Content-Type")
	require.False(t, server.Exists("u"))

	response, body = call(t, server, "DELETE", external+"u", good)
	require.Equal(t, 404, response.StatusCode)
	sameBytes(t, notFoundA, body)
	require.Equal(t, "application/json", response.Header.Get("Content-Type"))

	server.AddCustomer(polartest.Customer{ExternalID: "u"})
	_, _ = call(t, server, "DELETE", external+"u", good)
	require.Equal(t, 2, server.Deleted("u"))

	entries := server.Journal()
	require.Len(t, entries, 3)
	require.False(t, entries[0].Time.IsZero())
	entries[0].Time = time.Time{}
	require.Equal(t, polartest.Entry{
		Seq: 1, Method: "DELETE", RawPath: external + "u", Operation: polartest.OperationDelete,
		ExternalID: "u", Anonymize: true, Status: 204, Committed: true,
	}, entries[0])
	require.Equal(t, 404, entries[1].Status)
	require.False(t, entries[1].Committed)
}

func TestRoutesMatchTheDecodedPath(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, target string
		status               int
		body                 string
		operation            polartest.Operation
		id                   string
	}{
		{"escaped", "DELETE", external + "auth0%7Cabc", 404, notFoundA, polartest.OperationDelete, "auth0|abc"},
		{"raw", "DELETE", external + "auth0|abc", 404, notFoundA, polartest.OperationDelete, "auth0|abc"},
		{"decoded once", "DELETE", external + "a%252Fb", 404, notFoundA, polartest.OperationDelete, "a%2Fb"},
		{"plus", "DELETE", external + "a+b", 404, notFoundA, polartest.OperationDelete, "a+b"},
		{"backslash", "DELETE", external + "a%5Cb", 404, notFoundA, polartest.OperationDelete, `a\b`},
		{"bad UTF-8", "DELETE", external + "%FF%FE", 404, notFoundA, polartest.OperationDelete, "\uFFFD\uFFFD"},
		{"dots", "DELETE", external + "%2e%2e", 404, notFoundA, polartest.OperationDelete, ".."},
		{"unescaped query", "DELETE", external + "a?b=c", 404, notFoundA, polartest.OperationDelete, "a"},
		{"NUL", "DELETE", external + "%00", 500, "Internal Server Error", polartest.OperationDelete, "\x00"},
		{"escaped slash", "DELETE", external + "a%2Fb", 404, notFoundB, polartest.OperationNone, ""},
		{"two slashes", "DELETE", external + "/a", 404, notFoundB, polartest.OperationNone, ""},
		{"member", "DELETE", external + "x%2Fmembers%2Fnobody", 404, `{"error":"ResourceNotFound","detail":"Member not found"}`, polartest.OperationDeleteMember, "x"},
		{"state", "DELETE", external + "x%2Fstate", 405, `{"detail":"Method Not Allowed"}`, polartest.OperationNone, ""},
		{"base path", "DELETE", "/api" + external + "x", 404, notFoundB, polartest.OperationNone, ""},
		{"root", "GET", "/", 404, notFoundB, polartest.OperationNone, ""},
		{"empty", "DELETE", external, 307, "", polartest.OperationNone, ""},
		{"list without its slash", "GET", "/v1/customers?page=1", 307, "", polartest.OperationNone, ""},
		{"trailing slash", "DELETE", external + "x/", 307, "", polartest.OperationNone, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := polartest.Start(t, polartest.Options{})
			server.AddCustomer(polartest.Customer{ExternalID: "x"})
			response, body := call(t, server, tt.method, tt.target, good)
			require.Equal(t, tt.status, response.StatusCode)
			require.Equal(t, tt.body, body)
			entry := server.Journal()[0]
			require.Equal(t, tt.operation, entry.Operation)
			require.Equal(t, tt.id, entry.ExternalID)
			path, _, _ := strings.Cut(tt.target, "?")
			require.Equal(t, path, entry.RawPath)
			require.True(t, server.Exists("x"))
		})
	}
}

func TestRedirectsToTheSlash(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	response, _ := call(t, server, "GET", "/v1/customers?page=1", good)
	require.Equal(t, "http://polar.test/v1/customers/?page=1", response.Header.Get("Location"))
	response, _ = call(t, server, "DELETE", external, good)
	require.Equal(t, "http://polar.test/v1/customers/external", response.Header.Get("Location"))
	response, body := call(t, server, "DELETE", "/v1/customers/external", good)
	require.Equal(t, 422, response.StatusCode)
	require.Contains(t, body, `"type":"uuid_parsing","loc":["path","id"]`)
}

func TestAnEscapedSlashDeletesAMember(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AddCustomer(polartest.Customer{ExternalID: "x", Type: "team", Members: []string{"y", "z"}})
	response, _ := call(t, server, "DELETE", external+"x%2Fmembers%2Fy", good)
	require.Equal(t, 204, response.StatusCode)
	require.Equal(t, polartest.OperationDeleteMember, server.Journal()[0].Operation)
	require.True(t, server.Journal()[0].Committed)
	require.Equal(t, []string{"z"}, server.Customers()[0].Members)
	require.Zero(t, server.Deleted("x"))
}

func TestTokens(t *testing.T) {
	t.Parallel()
	const (
		absent  = `{"error":"Unauthorized","detail":"Unauthorized"}`
		invalid = `{"error": "invalid_token", "error_description": "The access token provided is expired, revoked, malformed, or invalid for other reasons."}`
		scope   = `{"error": "insufficient_scope", "error_description": "The request requires higher privileges than provided by the access token."}`
		user    = `{"error":"NotPermitted","detail":"You don't have permission to manage customers"}`
	)
	tests := []struct {
		name, header string
		status       int
		body         string
		challenge    string
	}{
		{"absent", "X-Nothing: 1", 401, absent, `Bearer realm="polar"`},
		{"another scheme", "Authorization: Basic abc", 401, absent, `Bearer realm="polar"`},
		{"nothing behind the scheme", "Authorization: Bearer", 401, absent, `Bearer realm="polar"`},
		{"customer session", bearer("session"), 401, absent, `Bearer realm="polar"`},
		{"unknown", bearer("wrong"), 401, invalid, `Bearer realm="polar", error="invalid_token", error_description="The access token provided is expired, revoked, malformed, or invalid for other reasons."`},
		{"read only", bearer("read"), 403, scope, `Bearer realm="polar", scope="customers:write", error="insufficient_scope", error_description="The request requires higher privileges than provided by the access token."`},
		{"user", bearer("user"), 403, user, ""},
		{"write only", bearer("write"), 204, "", ""},
		{"other case", "Authorization: bearer polar_oat_test", 204, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := polartest.Start(t, polartest.Options{Sandbox: true})
			server.AddCustomer(polartest.Customer{ExternalID: "u"})
			server.AllowToken("session", polartest.TokenCustomerSession)
			server.AllowToken("read", polartest.TokenReadOnly)
			server.AllowToken("write", polartest.TokenWriteOnly)
			server.AllowToken("user", polartest.TokenUser)
			response, body := call(t, server, "DELETE", external+"u", tt.header)
			require.Equal(t, tt.status, response.StatusCode)
			require.Equal(t, tt.body, body)
			require.Equal(t, tt.challenge, response.Header.Get("WWW-Authenticate"))
			require.Equal(t, tt.body != invalid, response.Header.Get("X-Polar-Sandbox") == "1")
			require.Equal(t, polartest.CurrentVersion, response.Header.Get("Polar-Version"))
			require.Equal(t, tt.status != 204, server.Exists("u"))
		})
	}
}

// A person's token may manage the customers of one organization and not of another.
func TestACustomerThatTheTokenMayNotManage(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AddCustomer(polartest.Customer{ExternalID: "u", Forbidden: true})
	response, body := call(t, server, "DELETE", external+"u", bearer(polartest.DefaultToken))
	require.Equal(t, 403, response.StatusCode)
	require.JSONEq(t, `{"error":"NotPermitted","detail":"You don't have permission to manage customers"}`, body)
	response, _ = call(t, server, "GET", external+"u", bearer(polartest.DefaultToken))
	require.Equal(t, 200, response.StatusCode, "it may be looked at")
	response, _ = call(t, server, "DELETE", external+"nobody", bearer(polartest.DefaultToken))
	require.Equal(t, 404, response.StatusCode, "the look-up comes first")
	require.True(t, server.Exists("u"))
}

func TestRevokeAndRepairToken(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{Token: "mine"})
	status := func() int {
		response, _ := call(t, server, "DELETE", external+"u", bearer("mine"))
		return response.StatusCode
	}
	require.Equal(t, 404, status())
	server.RevokeToken("mine")
	require.Equal(t, 401, status())
	server.AllowToken("mine", polartest.TokenFull)
	require.Equal(t, 404, status())
}

func TestVersions(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{Versions: []string{"2026-10", "2027-01"}})
	for version, status := range map[string]int{"2026-10": 204, "2027-01": 204, "2026-04": 404, "2020-01": 404, "x": 404} {
		server.AddCustomer(polartest.Customer{ExternalID: "u"})
		response, body := call(t, server, "DELETE", external+"u", good, "Polar-Version: "+version)
		require.Equal(t, status, response.StatusCode, version)
		if status == 404 {
			sameBytes(t, notFoundB, body)
			require.NotContains(t, response.Header, "Polar-Version")
			continue
		}
		require.Equal(t, version, response.Header.Get("Polar-Version"))
	}
}

func TestAnonymizeIsAPydanticBool(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	for value, want := range map[string]bool{
		"true": true, "1": true, "YES": true, "on": true, "t": true, "y": true,
		"false": false, "0": false, "no": false, "Off": false, "f": false, "n": false,
	} {
		response, _ := call(t, server, "DELETE", external+"u?anonymize="+value, good)
		require.Equal(t, 404, response.StatusCode)
		entries := server.Journal()
		require.Equal(t, want, entries[len(entries)-1].Anonymize, value)
	}
	for _, value := range []string{"", "x", "2", "ü<"} {
		response, body := call(t, server, "DELETE", external+"u?anonymize="+value, good)
		require.Equal(t, 422, response.StatusCode, value)
		sameBytes(t, fmt.Sprintf(`{"error":"RequestValidationError","detail":[{"type":"bool_parsing","loc":["query","anonymize"],"msg":"Input should be a valid boolean, unable to interpret input","input":"%s"}]}`, value), body)
	}
}
