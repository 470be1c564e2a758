package handlers

import (
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/metrics"
)

// retryAfter is sent with every 503, in seconds.
const retryAfter = "5"

// refusal is the body of every other answer. It never has an error's text, and a reason
// only where the sender knows all that it is made from.
type refusal struct {
	Error     string       `json:"error"`
	Reason    fault.Reason `json:"reason,omitzero"`
	RequestID string       `json:"request_id"`
}

// handleError is the only place that answers an error. Echo's own handler does
// not unwrap and makes a chunked body that is too large a 500.
func handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	status, code := answer(kindOf(err))
	header := c.Response().Header()
	if status == http.StatusServiceUnavailable {
		header.Set("Retry-After", retryAfter)
	}
	if text := recordOf(c).said; text != "" && kindOf(err) == fault.MethodNotAllowed {
		_ = c.String(status, text) // net/http leaves the body of a HEAD out
		return
	}
	said := refusal{Error: code, RequestID: header.Get(echo.HeaderXRequestID)}
	if fault.ReasonOf(err) == fault.ReasonBodyChanged {
		said.Reason = fault.ReasonBodyChanged
	}
	body, err := json.Marshal(said)
	if err != nil || c.Request().Method == http.MethodHead {
		_ = c.NoContent(status) // Never fails.
		return
	}
	_ = c.JSONBlob(status, body) // Fails only when nobody reads the answer any more.
}

// answer turns a kind into a status and the code that clients see, which is
// the metric's outcome as well. A fault of our own is a 5xx, always.
func answer(kind fault.Kind) (status int, code string) {
	status, known := map[fault.Kind]int{
		fault.Malformed:        http.StatusBadRequest,
		fault.Unauthenticated:  http.StatusUnauthorized,
		fault.NotFound:         http.StatusNotFound,
		fault.MethodNotAllowed: http.StatusMethodNotAllowed,
		fault.TooLarge:         http.StatusRequestEntityTooLarge,
		fault.Unsupported:      http.StatusUnsupportedMediaType,
		fault.Unavailable:      http.StatusServiceUnavailable,
		fault.Internal:         http.StatusInternalServerError,
	}[kind]
	switch {
	case !known:
		return http.StatusInternalServerError, metrics.WebhookError
	case kind == fault.MethodNotAllowed:
		return status, metrics.WebhookNotFound
	}
	return status, string(kind)
}

// kindOf classifies an error of ours, of net/http or of Echo. An echo.HTTPError
// with any other status than these two does not come from the router, so it is
// a bug, and never answered as the sender's fault.
func kindOf(err error) fault.Kind {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Kind
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.TooLarge
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch e.Code {
		case http.StatusNotFound:
			return fault.NotFound
		case http.StatusMethodNotAllowed:
			return fault.MethodNotAllowed
		}
	}
	return fault.Internal
}
