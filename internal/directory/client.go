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
	"strings"
	"sync/atomic"
	"time"

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
	// Timeout bounds one request from the dial to the end of the answer; 0 is 5 s.
	Timeout time.Duration
	// UserAgent is sent along; "" leaves net/http's.
	UserAgent string
	// Transport carries the requests; nil is one of the Client's own, which
	// honours HTTPS_PROXY.
	Transport http.RoundTripper
	// Now is the clock.
	Now func() time.Time
}

// Client asks one API. It may be used by many goroutines.
type Client struct {
	http      *http.Client
	base      url.URL
	timeout   time.Duration
	userAgent string
	now       func() time.Time
	notBefore atomic.Int64 // UNIX milliseconds until which the API wants peace
}

// NewClient returns a Client. It makes no request. It refuses an address to which
// credentials must not go; the error does not show the address.
func NewClient(o ClientOptions) (*Client, error) {
	if o.Base == nil || o.Base.Host == "" {
		return nil, errors.New("the API's address is missing")
	}
	if o.Base.Scheme != "https" && (o.Base.Scheme != "http" || !loopback(o.Base.Hostname())) {
		return nil, errors.New("the API's address must begin with https://; http:// is allowed on loopback only")
	}
	transport := o.Transport
	if transport == nil {
		transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true, MaxIdleConns: maxIdle, MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: idleTimeout,
			MaxResponseHeaderBytes: maxHeader,
		}
	}
	c := &Client{base: *o.Base, timeout: o.Timeout, userAgent: o.UserAgent, now: o.Now}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	c.http = &http.Client{
		Transport: transport,
		// An answer from elsewhere says nothing about this provider's users, and
		// the credentials must not go there.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// CloseIdleConnections closes the connections that no request uses.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Request is one question.
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

// Response is an answer of the API's own.
type Response struct {
	Status int
	// Body is valid JSON, or empty where the status allows that.
	Body jsontext.Value
}

// Do sends the request. Errors are fault.Paused when the API asks to wait, else
// fault.Unavailable, with a directory's reason; their texts have no address, id,
// token or word of the answer. An Response has a status of 2xx, or of 4xx other
// than 401, 403, 408, 425 and 429.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	if wait := time.UnixMilli(c.notBefore.Load()).Sub(c.now()); wait > 0 {
		return Response{}, rateLimited(wait)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := c.request(ctx, r)
	if err != nil {
		return Response{}, unavailable(errBroken)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return Response{}, unavailable(vetted(ctx, err))
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return Response{}, unavailable(vetted(ctx, err))
	}
	c.restIfAsked(response)
	return c.judge(response, body)
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	plain, escaped := []string{strings.TrimRight(c.base.Path, "/")}, []string{strings.TrimRight(c.base.EscapedPath(), "/")}
	for _, segment := range r.Path {
		plain, escaped = append(plain, segment), append(escaped, url.PathEscape(segment))
	}
	address := url.URL{
		Scheme: c.base.Scheme, Host: c.base.Host, RawQuery: r.Query.Encode(),
		// net/url sends RawPath as it is when it decodes to Path.
		Path: strings.Join(plain, "/"), RawPath: strings.Join(escaped, "/"),
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, c.base.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	request.URL = &address // exactly as built, not as parsed again
	request.Header.Set("Accept", "application/json")
	if r.Token != "" {
		request.Header.Set("Authorization", "Bearer "+r.Token)
	}
	if r.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.userAgent != "" {
		request.Header.Set("User-Agent", c.userAgent)
	}
	return request, nil
}

// errBroken stands for every error whose text may quote the request or the
// answer.
var errBroken = errors.New("connection broke, or the answer is not HTTP")

// vetted returns the part of err whose text is known to say nothing about the
// request.
func vetted(ctx context.Context, err error) error {
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
	return fmt.Errorf("%w (%T)", errBroken, errors.Unwrap(err))
}
