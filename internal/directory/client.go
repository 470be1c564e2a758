package directory

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of one request.
const (
	defaultTimeout = 5 * time.Second
	maxBody        = 8 << 20 // 100 users of Clerk with all their metadata
	maxHeader      = 64 << 10
	idleTimeout    = 90 * time.Second
	maxIdle        = 8
)

// ClientOptions for NewClient.
type ClientOptions struct {
	// Base is where the API is: https, or http on loopback. Required.
	Base *url.URL
	// Timeout bounds one request from the dial to the end of the response; 0 is 5 s.
	Timeout time.Duration
	// UserAgent is sent along; "" leaves net/http's.
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

// NewClient makes no request. It refuses an address to which credentials must
// not go; the error does not show the address.
func NewClient(o ClientOptions) (*Client, error) {
	if o.Base == nil || o.Base.Host == "" {
		return nil, errors.New("the API's address is missing")
	}
	if o.Base.Scheme != "https" && (o.Base.Scheme != "http" || !isLoopback(o.Base.Hostname())) {
		return nil, errors.New("the API's address must begin with https://; http:// is allowed on loopback only")
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	return &Client{options: o, http: &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true, MaxIdleConns: maxIdle, MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: idleTimeout,
			MaxResponseHeaderBytes: maxHeader,
		},
		// A response from elsewhere says nothing about this provider's users, and
		// the credentials must not go there.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// CloseIdleConnections closes the connections that no request uses.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Request is one request to the API.
type Request struct {
	Method string
	// Path is the path's segments, unescaped: each stays one segment.
	Path []string
	// Query may be nil.
	Query url.Values
	// Token is sent as a bearer token; "" sends none.
	Token string
	// Body is JSON, or nil.
	Body []byte
}

// Response is a response of the API's own.
type Response struct {
	Status int
	// Body is valid JSON, or empty where the status allows that.
	Body jsontext.Value
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
	c.pauseIfAsked(response)
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
	if r.Token != "" {
		request.Header.Set("Authorization", "Bearer "+r.Token)
	}
	if r.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.options.UserAgent != "" {
		request.Header.Set("User-Agent", c.options.UserAgent)
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
