package polar

import (
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Result is what one request came to. The set is closed; its texts are the
// metric labels of polar_bridge_deletion_attempts_total.
type Result string

// What one request comes to.
const (
	ResultDeleted      Result = "deleted"       // 204: the customer is deleted, durably
	ResultNotFound     Result = "not_found"     // 404 ResourceNotFound: there is no such customer
	ResultRateLimited  Result = "rate_limited"  // 429: the organization's limit is used up
	ResultUnauthorized Result = "unauthorized"  // 401, or 403 insufficient_scope: the token is refused
	ResultForbidden    Result = "forbidden"     // any other 403, by Polar about one customer or by a proxy in front of it
	ResultRejected     Result = "rejected"      // 400 or 422: the request will never be taken
	ResultServerError  Result = "server_error"  // 5xx, 408 or 425: try again
	ResultNetworkError Result = "network_error" // no answer, or none that can be read
	ResultUnexpected   Result = "unexpected"    // an answer that a working set-up never gives

	// ResultFound is 200 with the customer that was asked for. Only a lookup
	// comes to it, so it is not among Results.
	ResultFound Result = "found"
)

// Results lists every Result that a deletion may come to.
func Results() []Result {
	return []Result{
		ResultDeleted, ResultNotFound, ResultRateLimited, ResultUnauthorized, ResultForbidden,
		ResultRejected, ResultServerError, ResultNetworkError, ResultUnexpected,
	}
}

// Answer is what is known after one request.
type Answer struct {
	Result     Result // what the request came to
	StatusCode int    // the HTTP status, 0 when none was seen
	// RetryAfter is how long Polar asks everybody to wait: between 1 s and
	// 10 min for ResultRateLimited, else 0.
	RetryAfter time.Duration
	// AnswerLost says that the request may have reached Polar although Polar's
	// own answer was never seen. If the next attempt says not_found, this one
	// was probably what deleted the customer.
	AnswerLost bool
	// ErrorCode is the "error" member of Polar's JSON answer, for example
	// "insufficient_scope"; "" when there is none that is short and printable.
	ErrorCode string
	Version   string // the API version that answered (Polar-Version), or ""
	// Date is the time at which the answer was made by the clock on the other
	// side (Date), in whole seconds; zero when it is missing or not a date.
	Date time.Time
	// RequestID is Cloudflare's id of the request (CF-Ray), which Polar's
	// support can look up, or "".
	RequestID string
}

// codeNotFound is the error code that tells "no such customer" from every
// other 404: an unmatched route and a removed API version answer
// {"detail":"Not Found"} without any code.
const codeNotFound = "ResourceNotFound"

// LacksScope reports whether the token is valid, but lacks the scope that the
// request needs.
func (a Answer) LacksScope() bool { return a.ErrorCode == codeScope }

// codeScope is the only error code of a 403 that speaks of the token. Polar's
// NotPermitted is about one customer and comes after the look-up, and Cloudflare
// answers its 1xxx errors in JSON since 2026-03 when that is what the client
// accepts: https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/
const codeScope = "insufficient_scope"

// Cloudflare's own statuses for an origin that was reached but whose answer
// was broken or late. Its 521 to 523 and 525 mean that no connection to the
// origin came about.
const (
	statusOriginOdd     = 520
	statusOriginTimeout = 524
)

// maxText bounds every text of Polar's that is kept.
const maxText = 64

// Classify classifies an answer by its status, headers and body. It is pure; now
// only serves a Retry-After that is a date without a Date header to compare.
//
// The documented answers are on
// https://polar.sh/docs/api-reference/customers/delete-external and
// https://polar.sh/docs/api-reference/introduction (rate limits); those of the
// proxies in front are on
// https://developers.cloudflare.com/support/troubleshooting/http-status-codes/.
func Classify(statusCode int, header http.Header, body []byte, now time.Time) Answer {
	code := errorCode(body)
	answer := Answer{
		Result:     classify(statusCode, code),
		StatusCode: statusCode,
		ErrorCode:  printable(code),
		Version:    printable(header.Get("Polar-Version")),
		Date:       sent(header),
		RequestID:  printable(header.Get("Cf-Ray")),
	}
	switch statusCode { // a gateway says that Polar may have done it but that its answer is gone
	case http.StatusBadGateway, http.StatusGatewayTimeout, statusOriginOdd, statusOriginTimeout:
		answer.AnswerLost = true
	}
	if answer.Result == ResultRateLimited {
		answer.RetryAfter = retryAfter(header, now)
	}
	return answer
}

// classify returns what a status and an error code come to.
func classify(statusCode int, code string) Result {
	switch statusCode {
	case http.StatusNoContent:
		return ResultDeleted
	case http.StatusNotFound:
		if code == codeNotFound {
			return ResultNotFound
		}
		return ResultUnexpected
	case http.StatusTooManyRequests:
		return ResultRateLimited
	case http.StatusUnauthorized:
		return ResultUnauthorized
	case http.StatusForbidden:
		if code == codeScope {
			return ResultUnauthorized
		}
		return ResultForbidden
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return ResultRejected
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return ResultServerError
	}
	if statusCode >= 500 && statusCode <= 599 {
		return ResultServerError
	}
	return ResultUnexpected
}

// errorCode returns the string member "error" of body, "" when there is none.
// Decoding is strict: encoding/json would match "ERROR" as well and let the last
// of two equal names win.
func errorCode(body []byte) string {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(body, &members); err != nil {
		return ""
	}
	var code string
	if err := json.Unmarshal(members["error"], &code); err != nil {
		return ""
	}
	return code
}

// sent returns the answer's Date, zero when there is none that can be read.
func sent(header http.Header) time.Time {
	date, _ := http.ParseTime(header.Get("Date")) // zero with an error
	return date
}

// isJSON reports whether the media type is JSON.
func isJSON(header http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && (mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"))
}

// printable returns text when it is short, printable ASCII without spaces,
// else "": it goes into logs and tables.
func printable(text string) string {
	if len(text) > maxText || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return text
}

// The bounds of a wait that Polar may ask for. A wait of nothing would turn a
// 429 into a busy loop, an absurd one would stop all deletions.
const (
	minRetryAfter     = time.Second
	maxRetryAfter     = 10 * time.Minute
	defaultRetryAfter = time.Minute // Polar's window, https://polar.sh/docs/api-reference/introduction
)

// retryAfter reads Retry-After, which is seconds or a date (RFC 9110, section
// 10.2.3), within the bounds above.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) { // then it is the nearest number that fits
		// Bounded before it is multiplied: a product that overflows is negative.
		return time.Duration(min(max(seconds, int64(minRetryAfter/time.Second)), int64(maxRetryAfter/time.Second))) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return defaultRetryAfter
	}
	// The server's own clock is the better one to measure the server's date.
	if date := sent(header); !date.IsZero() {
		now = date
	}
	return min(max(until.Sub(now), minRetryAfter), maxRetryAfter)
}
