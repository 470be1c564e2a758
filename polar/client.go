package polar

import (
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
	OperationDelete = "delete_customer"
	OperationProbe  = "probe"
	OperationGet    = "get_customer"
	OperationState  = "get_state"
)

// codeError is what Options.OnRequest hears instead of a status.
const codeError = "error"

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
	Token func() string
	// Timeout bounds one request from the dial to the end of the answer; 0 is 5 s.
	Timeout time.Duration
	// UserAgent is sent to Polar; "" leaves net/http's.
	UserAgent string
	// Transport carries the requests; nil is one of the Client's own, which
	// honours HTTPS_PROXY. It should report to net/http/httptrace: without
	// that every request without an answer counts as possibly carried out.
	Transport http.RoundTripper
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// OnRequest hears of every request that was made: its operation, the
	// answer's status or "error", and how long it took. May be nil.
	OnRequest func(operation, code string, duration time.Duration)
}

// Client asks one Polar organization. It may be used by many goroutines.
type Client struct {
	http      *http.Client
	base      url.URL
	token     func() string
	timeout   time.Duration
	userAgent string
	now       func() time.Time
	onRequest func(operation, code string, duration time.Duration)
}

// New returns a Client. It makes no request.
func New(options Options) *Client {
	c := &Client{
		http:      newHTTPClient(options.Transport),
		token:     options.Token,
		timeout:   options.Timeout,
		userAgent: options.UserAgent,
		now:       options.Now,
		onRequest: options.OnRequest,
	}
	if options.BaseURL != nil {
		c.base = *options.BaseURL
	}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.now == nil {
		c.now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if c.onRequest == nil {
		c.onRequest = func(string, string, time.Duration) {}
	}
	return c
}

// DeleteCustomer deletes the customer with exactly that external id, and with
// anonymize also asks Polar to erase the name and the e-mail address. That can
// not be made up for later: a second call finds no customer any more.
//
// The error is nil whenever Polar answered, whatever it answered. It wraps
// ErrUnaddressable when the id cannot be addressed, and then nothing was sent
// and the Answer is zero. Its text names no URL, id or token.
func (c *Client) DeleteCustomer(ctx context.Context, externalID string, anonymize bool) (Answer, error) {
	if err := CheckExternalID(externalID); err != nil {
		return Answer{}, err
	}
	return c.ask(ctx, question{OperationDelete, http.MethodDelete, customerURL(&c.base, externalID, anonymize), Classify})
}

// Probe asks to delete the customer of a random UUID, which deletes nothing.
// ResultNotFound proves that the URL, the token and its scope are right: Polar
// checks all of them before it looks the customer up.
func (c *Client) Probe(ctx context.Context) (Answer, error) {
	return c.ask(ctx, question{OperationProbe, http.MethodDelete, customerURL(&c.base, randomUUID(), false), Classify})
}

// CloseIdleConnections closes the connections that no request uses.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// question is one request and who judges its answer.
type question struct {
	operation, method string
	endpoint          *url.URL
	classify          func(statusCode int, header http.Header, body []byte, now time.Time) Answer
}

// ask makes one request and has its answer judged.
func (c *Client) ask(ctx context.Context, q question) (Answer, error) {
	token := c.token()
	if strings.ContainsFunc(token, unicode.IsControl) {
		return Answer{Result: ResultUnauthorized}, fmt.Errorf("polar %s: %w", q.operation, ErrUnusableToken)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return Answer{Result: ResultNetworkError}, networkError(q.operation, err)
	}
	ctx, reached := traceReach(ctx)
	request, err := http.NewRequestWithContext(ctx, q.method, q.endpoint.String(), http.NoBody)
	if err != nil {
		return Answer{Result: ResultNetworkError}, networkError(q.operation, err)
	}
	request.URL = q.endpoint // exactly as built, not as parsed again
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/json")
	if c.userAgent != "" {
		request.Header.Set("User-Agent", c.userAgent)
	}
	start := c.now()
	answer, err := c.exchange(request, q)
	code := strconv.Itoa(answer.StatusCode)
	if err != nil {
		// net/http returns the cause of a cancellation, which may be any error.
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		code, err = codeError, networkError(q.operation, err)
		answer.AnswerLost = reached.Load() && q.method == http.MethodDelete // a look changes nothing
	}
	c.onRequest(q.operation, code, c.now().Sub(start))
	return answer, err
}

// exchange sends the request, reads the answer and has it judged.
func (c *Client) exchange(request *http.Request, q question) (Answer, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return Answer{Result: ResultNetworkError}, err
	}
	defer response.Body.Close() //nolint:errcheck // it was only read; nothing is lost with it
	limit := int64(maxBody)
	if q.operation == OperationList {
		limit = maxListBody
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, limit))
	answer := q.classify(response.StatusCode, response.Header, body, c.now())
	found := response.StatusCode == http.StatusOK && q.method == http.MethodGet
	if err != nil && (response.StatusCode == http.StatusNotFound || found) {
		// Only a 404 hangs on its body, and what a look has found: half of one
		// says neither "gone" nor "odd". Every other status speaks for itself.
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
