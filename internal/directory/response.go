package directory

import (
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

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

// pauseIfAsked stops all requests until the API takes them again: after a 429,
// and after a response that says it was the last one of its window.
func (c *Client) pauseIfAsked(response *http.Response) {
	now := c.options.Now()
	if response.StatusCode == http.StatusTooManyRequests || response.Header.Get("X-Ratelimit-Remaining") == "0" && untilReset(response, now) > 0 {
		c.notBefore.Store(now.Add(c.askedToWait(response)).UnixMilli())
	}
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
