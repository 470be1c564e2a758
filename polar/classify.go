package polar

import (
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// codeNotFound is the error code that tells "no such customer" from every
// other 404: an unmatched route and a removed API version answer
// {"detail":"Not Found"} without any code.
const codeNotFound = "ResourceNotFound"

// codeScope is the only error code of a 403 that speaks of the token. Polar's
// NotPermitted is about one customer and comes after the look-up, and Cloudflare
// answers its 1xxx errors in JSON since 2026-03 when that is what the client
// accepts: https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/
const codeScope = "insufficient_scope"

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
		AnswerLost: gatewayLost(statusCode),
		ErrorCode:  printable(code),
		Version:    printable(header.Get("Polar-Version")),
		Date:       sent(header),
		RequestID:  printable(header.Get("Cf-Ray")),
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

// Cloudflare's own statuses for an origin that was reached but whose answer
// was broken or late. Its 521 to 523 and 525 mean that no connection to the
// origin came about.
const (
	statusOriginOdd     = 520
	statusOriginTimeout = 524
)

// gatewayLost reports whether a gateway says that Polar may have done it but
// that its answer is gone.
func gatewayLost(statusCode int) bool {
	switch statusCode {
	case http.StatusBadGateway, http.StatusGatewayTimeout, statusOriginOdd, statusOriginTimeout:
		return true
	}
	return false
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
