package polar

import "time"

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
	// Result is what the request came to.
	Result Result
	// StatusCode is the HTTP status, 0 when none was seen.
	StatusCode int
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
	// Version is the API version that answered (Polar-Version), or "".
	Version string
	// Date is the time at which the answer was made by the clock on the other
	// side (Date), in whole seconds; zero when it is missing or not a date.
	Date time.Time
	// RequestID is Cloudflare's id of the request (CF-Ray), which Polar's
	// support can look up, or "".
	RequestID string
}
