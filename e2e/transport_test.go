package e2e_test

import (
	"bufio"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// transport is one way to write a request with these headers and this body.
type transport struct {
	name  string
	write func(headers, body string) string
}

// However HTTP carries a genuine deletion, it is carried out.
func TestEveryFormOfRequestIsTaken(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	forms := transports()
	var leave []string
	for i := range forms {
		leave = append(leave, fmt.Sprint("user_", i))
		env.polar.AddCustomer(polartest.Customer{ExternalID: leave[i], CreatedAt: longAgo()})
	}
	p := env.start(t)
	for i, form := range forms {
		d := sign(t, "clerk", fmt.Sprint("msg_", i), leave[i])
		var headers strings.Builder
		require.NoError(t, d.header.Write(&headers))
		conn, err := p.dial(t.Context(), form.write(headers.String(), string(d.body)))
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err, form.name)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusAccepted, response.StatusCode, form.name)
		require.NoError(t, conn.Close())
	}
	env.waitDeleted(t, leave, 30*time.Second)
	require.Equal(t, len(leave), env.deletes(), "%+v", env.journal())
}

func transports() []transport {
	plain := func(line string, more ...string) func(headers, body string) string {
		return func(headers, body string) string {
			return fmt.Sprintf("%s\r\nHost: bridge.example.com\r\nContent-Length: %d\r\n%s%s\r\n%s", line, len(body), strings.Join(more, ""), headers, body)
		}
	}
	const post = "POST /webhooks/clerk HTTP/1.1"
	chunked := func(headers, body string) string {
		var text strings.Builder
		text.WriteString(post + "\r\nHost: bridge.example.com\r\nTransfer-Encoding: chunked\r\n" + headers + "\r\n")
		for piece := range slices.Chunk([]byte(body), 7) {
			fmt.Fprintf(&text, "%x;extension=1\r\n%s\r\n", len(piece), piece)
		}
		return text.String() + "0\r\nTrailer-Of-Nobody: 1\r\n\r\n"
	}
	folded := func(change func(string) string) func(headers, body string) string {
		return func(headers, body string) string {
			var text strings.Builder
			for line := range strings.Lines(headers) {
				name, value, _ := strings.Cut(line, ":")
				text.WriteString(change(name) + ":\t " + strings.TrimSpace(value) + " \t\r\n")
			}
			return plain(post)(text.String(), body)
		}
	}
	return []transport{
		{"as usual", plain(post)},
		{"chunks of seven bytes", chunked},
		{"HTTP/1.0", plain("POST /webhooks/clerk HTTP/1.0")},
		{"an absolute target", plain("POST http://bridge.example.com/webhooks/clerk HTTP/1.1")},
		{"a query", plain("POST /webhooks/clerk?utm_source=x&y=%zz HTTP/1.1")},
		{"a slash at the end and a query", plain("POST /webhooks/clerk/?a=b HTTP/1.1")},
		{"a connection that is closed", plain(post, "Connection: close\r\n")},
		{"another method in a header", plain(post, "X-HTTP-Method-Override: GET\r\n")},
		{"what proxies add", plain(post, "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nForwarded: for=192.0.2.1\r\nVia: 1.1 x\r\nAccept-Encoding: gzip\r\n")},
		{"an encoding that is none", plain(post, "Content-Encoding: identity\r\n")},
		{"names of headers in lower case", folded(strings.ToLower)},
		{"names of headers in upper case", folded(strings.ToUpper)},
	}
}

// A body in another encoding of characters is no JSON, however well it is signed.
func TestBodiesThatAreNoJSON(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	p := env.start(t)
	utf16 := "\xff\xfe" + strings.Join(strings.Split(clerkBody, ""), "\x00") + "\x00"
	for i, body := range []string{"\xef\xbb\xbf" + clerkBody, utf16, `""`, `null`, `[]`, `[` + clerkBody + `]`} {
		header, err := signature.SvixHeader(signature.SvixHeaders(), clerkKey, fmt.Sprint("msg_", i), time.Now(), []byte(body))
		require.NoError(t, err)
		p.deliver(t, delivery{"clerk", header, []byte(body)}, http.StatusBadRequest)
	}
	require.Zero(t, env.calls())
}
