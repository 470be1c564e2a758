// Package polar sends requests to Polar (https://polar.sh): delete a customer, look
// one up, or make one for a test. It classifies each answer as one Result.
//
// It exists because the call cannot be undone and Polar's answers are easy to
// misread: an id that is not escaped deletes somebody else, three different
// answers carry the status 404 and only one of them means "already gone", and
// an answer that never arrives does not mean that nothing happened.
//
// It must not know webhooks, queues, retries, limits or metrics: it makes one
// request and classifies one answer. It imports nothing else of this module.
package polar

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The operations that Options.OnRequest hears of.
const (
	OperationDelete        = "delete_customer"
	OperationProbe         = "probe"
	OperationGet           = "get_customer"
	OperationState         = "get_state"
	OperationList          = "list_customers"
	OperationSubscriptions = "list_subscriptions"
	OperationSearch        = "search_metadata"
	OperationCreate        = "create_customer"
)

// maxBody bounds what is read of an answer. Polar's own are below 1 KiB.
const maxBody = 64 << 10

// defaultTimeout bounds one request when Options.Timeout is 0.
const defaultTimeout = 5 * time.Second

// Options configures a Client.
type Options struct {
	// BaseURL is where Polar is, for example https://api.polar.sh. It may have
	// a path prefix. Required.
	BaseURL *url.URL
	// Token returns the organization access token. It is asked at every
	// request because the token may be rotated meanwhile. Required.
	Token     func() string
	Timeout   time.Duration // bounds one request from the dial to the end of the answer; 0 is 5 s
	UserAgent string        // sent to Polar; "" leaves net/http's
	// Transport carries the requests; nil is NewTransport's, which
	// honours HTTPS_PROXY. It should report to net/http/httptrace: without
	// that every request without an answer counts as possibly carried out.
	Transport http.RoundTripper
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// OnRequest hears of every request that was made: its operation, the
	// answer's status or "error", and how long it took. May be nil.
	OnRequest func(operation, code string, duration time.Duration)
}

// Client sends requests to one Polar organization. It may be used by many
// goroutines.
type Client struct{ options Options }

// New returns a Client. It makes no request.
func New(options Options) *Client {
	if options.BaseURL == nil {
		options.BaseURL = &url.URL{} // every request fails
	}
	if options.Transport == nil {
		options.Transport = NewTransport()
	}
	if options.Timeout <= 0 {
		options.Timeout = defaultTimeout
	}
	if options.Now == nil {
		options.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if options.OnRequest == nil {
		options.OnRequest = func(string, string, time.Duration) {}
	}
	return &Client{options}
}

// DeleteCustomer deletes the customer with exactly that external id, and with
// anonymize also asks Polar to erase the name and the e-mail address. That can
// not be made up for later: a second call finds no customer any more.
//
// The error is nil whenever Polar answered, whatever it answered. It wraps
// ErrUnaddressable when the id cannot be addressed, and then nothing was sent
// and the Answer is zero. Its text names no URL, id or token.
func (c *Client) DeleteCustomer(ctx context.Context, externalID string, anonymize bool) (Answer, error) {
	return c.deleteCustomer(ctx, externalPath, externalID, anonymize)
}

// DeleteCustomerByID is DeleteCustomer for exactly the customer with that id of Polar's
// own.
//
// https://polar.sh/docs/api-reference/customers/delete
func (c *Client) DeleteCustomerByID(ctx context.Context, id string, anonymize bool) (Answer, error) {
	return c.deleteCustomer(ctx, customersPath, id, anonymize)
}

func (c *Client) deleteCustomer(ctx context.Context, path, id string, anonymize bool) (Answer, error) {
	if err := CheckExternalID(id); err != nil {
		return Answer{}, err
	}
	query := ""
	if anonymize {
		query = "anonymize=true"
	}
	return c.do(ctx, request{OperationDelete, http.MethodDelete, c.customerURL(path, id, "", query), nil, Classify})
}

// Probe asks to delete the customer of a random UUID, which deletes nothing.
// ResultNotFound proves that the URL, the token and its scope are right: Polar
// checks all of them before it looks the customer up.
func (c *Client) Probe(ctx context.Context) (Answer, error) {
	return c.do(ctx, request{OperationProbe, http.MethodDelete, c.customerURL(externalPath, randomUUID(), "", ""), nil, Classify})
}

// CloseIdleConnections closes the connections that no request uses.
func (c *Client) CloseIdleConnections() {
	if closer, ok := c.options.Transport.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// request is one request and how its answer is classified.
type request struct {
	operation, method string
	endpoint          *url.URL
	body              []byte // JSON; nil for none
	classify          func(statusCode int, header http.Header, body []byte, now time.Time) Answer
}

// customerURL returns the URL of a customer, or of what is below them, for an id that
// CheckExternalID took. path says whose id it is.
func (c *Client) customerURL(path, id, below, query string) *url.URL {
	return c.url(path+id+below, path+url.PathEscape(id)+below, query)
}

// url returns the URL of an endpoint. Both forms of the path are set: net/url sends
// the escaped one as it is when it decodes to the other, so an id is one segment on
// the wire whatever is in it.
func (c *Client) url(path, escaped, query string) *url.URL {
	base := c.options.BaseURL
	return &url.URL{
		Scheme: base.Scheme, Host: base.Host, RawQuery: query,
		Path:    strings.TrimRight(base.Path, "/") + path,
		RawPath: strings.TrimRight(base.EscapedPath(), "/") + escaped,
	}
}

// do sends the request and classifies the answer.
func (c *Client) do(ctx context.Context, r request) (Answer, error) {
	token := c.options.Token()
	if strings.ContainsFunc(token, unicode.IsControl) {
		return Answer{Result: ResultUnauthorized}, fmt.Errorf("polar %s: %w", r.operation, ErrUnusableToken)
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return Answer{Result: ResultNetworkError}, networkError(r.operation, err)
	}
	ctx, connected := traceConnection(ctx)
	httpRequest, err := http.NewRequestWithContext(ctx, r.method, r.endpoint.String(), bytes.NewReader(r.body))
	if err != nil {
		return Answer{Result: ResultNetworkError}, networkError(r.operation, err)
	}
	httpRequest.URL = r.endpoint // exactly as built, not as parsed again
	httpRequest.Header.Set("Authorization", "Bearer "+token)
	httpRequest.Header.Set("Accept", "application/json")
	if r.body != nil {
		httpRequest.Header.Set("Content-Type", "application/json")
	}
	if c.options.UserAgent != "" {
		httpRequest.Header.Set("User-Agent", c.options.UserAgent)
	}
	if traceparent, ok := ctx.Value(traceparentKey{}).(string); ok {
		httpRequest.Header.Set("Traceparent", traceparent)
	}
	start := c.options.Now()
	answer, err := c.roundTrip(httpRequest, r)
	code := strconv.Itoa(answer.StatusCode)
	if err != nil {
		// net/http returns the cause of a cancellation, which may be any error.
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		code, err = "error", networkError(r.operation, err)
		answer.AnswerLost = connected.Load() && r.method == http.MethodDelete // a lookup changes nothing
	}
	c.options.OnRequest(r.operation, code, c.options.Now().Sub(start))
	return answer, err
}

// roundTrip sends the request and reads the answer. It follows no redirect, which
// http.Client would: the answer to a DELETE elsewhere would say nothing about
// Polar, and the token must not go there.
func (c *Client) roundTrip(httpRequest *http.Request, r request) (Answer, error) {
	response, err := c.options.Transport.RoundTrip(httpRequest)
	if err != nil {
		return Answer{Result: ResultNetworkError}, err
	}
	defer response.Body.Close() //nolint:errcheck // it was only read; nothing is lost with it
	limit := int64(maxBody)
	if isList(r.operation) {
		limit = maxListBody
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, limit))
	answer := r.classify(response.StatusCode, response.Header, body, c.options.Now())
	found := response.StatusCode == http.StatusOK && r.method == http.MethodGet
	if err != nil && (response.StatusCode == http.StatusNotFound || found) {
		// Only a 404 and a lookup depend on the body: half of one says neither
		// "not found" nor "unexpected". Every other status speaks for itself.
		answer.Result = ResultNetworkError
		return answer, err
	}
	return answer, nil
}

// randomUUID returns a version 4 UUID, which is how Polar's own ids look.
func randomUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // documented never to return an error
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
