package polar_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestExternalIDIsOneSegment(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 256)
	tests := []struct {
		name string
		id   string
		want string // on the wire
	}{
		{"Auth0's", "auth0|abc", "auth0%7Cabc"},
		{"umlaut", "ü", "%C3%BC"},
		{"space", "a b", "a%20b"},
		{"plus", "a+b", "a+b"},
		{"question mark", "a?b=c", "a%3Fb=c"},
		{"fragment", "a#b", "a%23b"},
		{"escaped slash", "a%2Fb", "a%252Fb"},
		{"escaped dots", "%2e%2e", "%252e%252e"},
		{"backslash", `a\b`, "a%5Cb"},
		{"three dots", "...", "..."},
		{"matrix parameter", "a;b,c", "a%3Bb%2Cc"},
		{"e-mail", "a@b.c:d&e=f$", "a@b.c:d&e=f$"},
		{"quotes", `"'<>`, "%22%27%3C%3E"},
		{"replacement character", "\uFFFD", "%EF%BF%BD"},
		{"512 bytes", long, strings.Repeat("%C3%BC", 256)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := polartest.Start(t, polartest.Options{})
			server.AddCustomer(polartest.Customer{ExternalID: tt.id})
			server.AddCustomer(polartest.Customer{ExternalID: "a"})
			answer, err := newClient(t, server.URL().String()).DeleteCustomer(t.Context(), tt.id, true)
			require.NoError(t, err)
			require.Equal(t, polar.ResultDeleted, answer.Result)
			require.True(t, server.Exists("a"))

			entry := server.Journal()[0]
			require.Equal(t, tt.id, entry.ExternalID)
			require.Equal(t, "/v1/customers/external/"+tt.want, entry.RawPath)
			require.True(t, entry.Anonymize)
			require.Equal(t, polartest.OperationDelete, entry.Operation)
		})
	}
}

func TestUnaddressableIDsAreRefused(t *testing.T) {
	t.Parallel()
	server := polartest.Start(t, polartest.Options{})
	server.AddCustomer(polartest.Customer{ExternalID: "x", Members: []string{"y"}})
	client := newClient(t, server.URL().String())
	for _, id := range []string{
		"", ".", "..", "a/b", "/", "x/members/y", "../../x", "a\x00b", "a\nb", "a\x7f", "a\u0085b", "\xff", "a\xc3",
	} {
		answer, err := client.DeleteCustomer(t.Context(), id, false)
		require.ErrorIs(t, err, polar.ErrUnaddressable, "%q", id)
		require.ErrorIs(t, polar.CheckExternalID(id), polar.ErrUnaddressable)
		require.Zero(t, answer)
	}
	require.Zero(t, server.Calls())
}

func TestBaseURLMayHaveAPrefix(t *testing.T) {
	t.Parallel()
	fake := polartest.New(polartest.Options{})
	fake.AddCustomer(polartest.Customer{ExternalID: "a#b"})
	server := httptest.NewServer(http.StripPrefix("/po lar", fake))
	t.Cleanup(server.Close)
	answer, err := newClient(t, server.URL+"/po%20lar/").DeleteCustomer(t.Context(), "a#b", false)
	require.NoError(t, err)
	require.Equal(t, polar.ResultDeleted, answer.Result)
	require.Equal(t, "/po%20lar/v1/customers/external/a%23b", fake.Journal()[0].RawPath)
	require.False(t, fake.Journal()[0].Anonymize)
}

// wire answers 204 and keeps what was written to it.
type wire struct{ request bytes.Buffer }

func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := request.Write(&w.request); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// FuzzExternalIDPath holds that an id is exactly one segment that decodes to
// exactly the id, or is refused before anything is sent.
func FuzzExternalIDPath(f *testing.F) {
	for _, seed := range []string{
		"user_2abc", "auth0|abc", "ü", "a b", "a+b", "a?b=c", "a#b", "a%2Fb", `a\b`, "..", ".", "", "a/b", "\x00", "\xff",
		"%", "%zz", "a;b", "\u2028", "http://x", "//x", "*", "@", ":", "a\r\nHost: x",
	} {
		f.Add(seed)
	}
	base := &url.URL{Scheme: "https", Host: "polar.invalid"}
	f.Fuzz(func(t *testing.T, id string) {
		sent := &wire{}
		client := polar.New(polar.Options{BaseURL: base, Token: func() string { return "token" }, Transport: sent})
		_, err := client.DeleteCustomer(t.Context(), id, true)
		if err != nil {
			require.ErrorIs(t, err, polar.ErrUnaddressable)
			require.Empty(t, sent.request.Bytes())
			return
		}
		line, err := bufio.NewReader(&sent.request).ReadString('\n')
		require.NoError(t, err)
		path, ok := strings.CutPrefix(line, "DELETE /v1/customers/external/")
		require.True(t, ok, line)
		segment, ok := strings.CutSuffix(path, "?anonymize=true HTTP/1.1\r\n")
		require.True(t, ok, line)
		require.False(t, strings.ContainsAny(segment, "/?#\\ ") || segment == "." || segment == "..", line)
		decoded, err := url.PathUnescape(segment)
		require.NoError(t, err)
		require.Equal(t, id, decoded)
		require.NotContains(t, decoded, "/") // Polar matches on the decoded path
	})
}
