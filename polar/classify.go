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

// maxText bounds every text of Polar's that is kept.
const maxText = 64

// Classify judges an answer by its status, headers and body. It is pure; now
// only serves a Retry-After that is a date without a Date header to compare.
//
// The documented answers are on
// https://polar.sh/docs/api-reference/customers/delete-external and
// https://polar.sh/docs/api-reference/introduction (rate limits); those of the
// proxies in front are on
// https://developers.cloudflare.com/support/troubleshooting/http-status-codes/.
func Classify(statusCode int, header http.Header, body []byte, now time.Time) Answer {
	code, isObject := errorCode(body)
	answer := Answer{
		Result:     judge(statusCode, code, isObject && isJSON(header)),
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

// judge is the verdict table. polarsOwn says that the answer is JSON in body
// and media type, so that it comes from Polar and not from a proxy in front.
func judge(statusCode int, code string, polarsOwn bool) Result {
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
		// Cloudflare's challenge page is a 403 too, and passes by itself.
		if polarsOwn {
			return ResultUnauthorized
		}
		return ResultServerError
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

// errorCode returns the string member "error" of body, and whether body is one
// JSON object. Decoding is strict: encoding/json would match "ERROR" as well
// and let the last of two equal names win.
func errorCode(body []byte) (string, bool) {
	if jsontext.Value(body).Kind() != jsontext.KindBeginObject {
		return "", false
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(body, &members); err != nil {
		return "", false
	}
	var code string
	if err := json.Unmarshal(members["error"], &code); err != nil {
		return "", true
	}
	return code, true
}

// sent returns the answer's Date, zero when there is none that can be read.
func sent(header http.Header) time.Time {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return date
}

// isJSON reports whether the media type is JSON.
func isJSON(header http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return false
	}
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}

// printable returns text when it is short, printable ASCII without spaces,
// else "": it goes into logs and tables.
func printable(text string) string {
	if len(text) > maxText {
		return ""
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return ""
		}
	}
	return text
}
