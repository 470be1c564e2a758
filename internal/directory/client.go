package directory

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/tracing"
)

// Bounds of one request.
const (
	maxBody     = 8 << 20 // 100 users of Clerk with all their metadata
	maxHeader   = 64 << 10
	idleTimeout = 90 * time.Second
	maxIdle     = 8
)

// ClientOptions for NewClient.
type ClientOptions struct {
	Base      *url.URL      // where the API is; config.CheckAddress has nothing against it
	Timeout   time.Duration // bounds one request from the dial to the end of the response
	UserAgent string
	Now       func() time.Time
}

// Client sends requests to one provider's API. It accepts nothing but a complete
// response of that API's own: JSON, from the configured address, in bounds and
// in time. It may be used by many goroutines.
type Client struct {
	http      *http.Client
	options   ClientOptions
	notBefore atomic.Int64 // UNIX milliseconds until which the API wants no request
}

// NewClient makes no request.
func NewClient(o ClientOptions) *Client {
	return &Client{options: o, http: &http.Client{
		Transport: tracing.Transport(&http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true, MaxIdleConns: maxIdle, MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: idleTimeout,
			MaxResponseHeaderBytes: maxHeader,
		}),
		// A response from elsewhere says nothing about this provider's users, and
		// the credentials must not go there.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// CloseIdleConnections closes the connections that no request uses.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Request is one request to the API.
type Request struct {
	Method string
	Path   []string   // the path's segments, unescaped: each stays one segment
	Query  url.Values // may be nil
	Token  string     // sent as a bearer token; "" sends none
	Body   []byte     // JSON, or nil
}

// Response is a response of the API's own.
type Response struct {
	Status int
	Body   jsontext.Value // valid JSON, or empty where the status allows that
}

// decode reports whether the response has that status and a body of that form.
func (r Response) decode(status int, into any) bool {
	return r.Status == status && json.Unmarshal(r.Body, into) == nil
}

// Do sends the request. Errors are *Error. A Response has a status of 2xx, or of 4xx
// other than 401, 403, 408, 425 and 429.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	if wait := time.UnixMilli(c.notBefore.Load()).Sub(c.options.Now()); wait > 0 {
		return Response{}, rateLimited(wait)
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	request, err := c.request(ctx, r)
	if err != nil {
		return Response{}, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return Response{}, unavailable(withoutDetails(ctx, err))
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return Response{}, unavailable(withoutDetails(ctx, err))
	}
	// All requests stop until the API takes them again: after a 429, and after a
	// response that says it was the last one of its window.
	now := c.options.Now()
	last := response.Header.Get("X-Ratelimit-Remaining") == "0" && untilReset(response, now) > 0
	if response.StatusCode == http.StatusTooManyRequests || last {
		c.notBefore.Store(now.Add(c.askedToWait(response)).UnixMilli())
	}
	return c.check(response, body)
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	segments := make([]string, len(r.Path))
	for i, segment := range r.Path {
		// The path would lead to something else than the one user.
		if segment == "" || segment == "." || segment == ".." {
			return nil, inconclusive("an id that is empty or a path's dot segment cannot be looked up")
		}
		segments[i] = url.PathEscape(segment)
	}
	address := c.options.Base.JoinPath(segments...)
	address.RawQuery = r.Query.Encode()
	request, err := http.NewRequestWithContext(ctx, r.Method, address.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, unavailable(errConnection)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", c.options.UserAgent)
	if r.Token != "" {
		request.Header.Set("Authorization", "Bearer "+r.Token)
	}
	if r.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// errConnection stands for every error whose text may quote the request or the
// response.
var errConnection = errors.New("the connection broke, or the response is not HTTP")

// withoutDetails returns the part of err whose text is known to say nothing about
// the request.
func withoutDetails(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if timeout := (interface{ Timeout() bool })(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return context.DeadlineExceeded
	}
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return certificate
	}
	for _, known := range []error{io.ErrUnexpectedEOF, io.EOF, http.ErrSchemeMismatch} {
		if errors.Is(err, known) {
			return known
		}
	}
	return fmt.Errorf("%w (%T)", errConnection, errors.Unwrap(err))
}

// The bounds of a wait that an API may ask for. Clerk's windows last 10 s
// (https://clerk.com/docs/guides/how-clerk-works/system-limits), Auth0's up to a
// minute (https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy).
const (
	minWait     = time.Second
	defaultWait = 10 * time.Second
	maxWait     = 10 * time.Minute
)

// errToken says that the API refuses the token, which may have expired.
var errToken = errors.New("the provider's API refuses the credentials (401)")

// check lets through what only the caller can interpret.
func (c *Client) check(response *http.Response, body []byte) (Response, error) {
	status := response.StatusCode
	switch {
	case status == http.StatusTooManyRequests:
		return Response{}, rateLimited(c.askedToWait(response))
	case status == http.StatusUnauthorized:
		return Response{}, unanswered(deletion.RetryDirectoryUnauthorized, "%w", errToken)
	case status == http.StatusForbidden && isJSON(response):
		return Response{}, unanswered(deletion.RetryDirectoryUnauthorized, "the provider's API forbids this to these credentials (403)")
	case status == http.StatusForbidden, status == http.StatusRequestTimeout, status == http.StatusTooEarly, status >= 500:
		return Response{}, unavailable(errors.New("status " + strconv.Itoa(status)))
	case status < 200 || status >= 300 && status < 400:
		return Response{}, inconclusive("the provider's API answered %d, which it never does when all is well", status)
	case len(body) > maxBody:
		return Response{}, inconclusive("the provider's API answered with more than %d bytes", maxBody)
	case len(body) == 0 && (status == http.StatusAccepted || status == http.StatusNoContent):
		return Response{Status: status}, nil
	case !isJSON(response) || !jsontext.Value(body).IsValid():
		return Response{}, inconclusive("the provider's API answered %d without JSON", status)
	}
	return Response{Status: status, Body: body}, nil
}

// askedToWait reads Retry-After (RFC 9110, section 10.2.3), else
// X-RateLimit-Reset, a UNIX time in seconds, within the bounds above.
func (c *Client) askedToWait(response *http.Response) time.Duration {
	wait, value := defaultWait, strings.TrimSpace(response.Header.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if until, err := http.ParseTime(value); err == nil {
		wait = until.Sub(c.options.Now())
	} else if reset := untilReset(response, c.options.Now()); reset != 0 {
		wait = reset
	}
	return min(max(wait, minWait), maxWait)
}

// untilReset returns 0 when there is no X-RateLimit-Reset that can be read.
func untilReset(response *http.Response, now time.Time) time.Duration {
	reset, err := strconv.ParseInt(response.Header.Get("X-Ratelimit-Reset"), 10, 64)
	const year5138 = 100_000_000_000 // later is not a time in seconds
	if err != nil || reset <= 0 || reset >= year5138 {
		return 0
	}
	return time.Unix(reset, 0).Sub(now)
}

func rateLimited(wait time.Duration) error {
	return &Error{RetryAfter: wait, Err: errors.New("the provider's API asks to wait")}
}

func unavailable(err error) error {
	return unanswered(deletion.RetryDirectoryUnavailable, "request to the provider's API: %w", err)
}

func isJSON(response *http.Response) bool {
	mediaType, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return err == nil && (mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"))
}
