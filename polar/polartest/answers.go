package polartest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answer is a whole response.
type answer struct {
	status    int
	header    http.Header
	body      string
	committed bool // something was deleted
}

// The texts of the OAuth errors, which authlib writes with a space after
// colons and commas, unlike FastAPI.
const (
	invalidTokenText = "The access token provided is expired, revoked, malformed, or invalid for other reasons."
	scopeText        = "The request requires higher privileges than provided by the access token."
)

// newAnswer returns an answer with the body; contentType "" sends none.
func newAnswer(status int, contentType, body string) answer {
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return answer{status: status, header: header, body: body}
}

// jsonAnswer returns an answer in JSON.
func jsonAnswer(status int, body string) answer {
	return newAnswer(status, "application/json", body)
}

// notFoundCustomer is 404 A: there is no such customer.
func notFoundCustomer() answer {
	return jsonAnswer(http.StatusNotFound, `{"error":"ResourceNotFound","detail":"Not found"}`)
}

// notFoundRoute is 404 B, and without a Polar-Version header 404 C.
func notFoundRoute() answer {
	return jsonAnswer(http.StatusNotFound, `{"detail":"Not Found"}`)
}

// methodNotAllowed is a path that exists for other methods.
func methodNotAllowed(allow string) answer {
	reply := jsonAnswer(http.StatusMethodNotAllowed, `{"detail":"Method Not Allowed"}`)
	reply.header.Set("Allow", allow)
	return reply
}

// unauthorized is a request without a token, or with one of the wrong type.
func unauthorized() answer {
	reply := jsonAnswer(http.StatusUnauthorized, `{"error":"Unauthorized","detail":"Unauthorized"}`)
	reply.header.Set("WWW-Authenticate", `Bearer realm="polar"`)
	return reply
}

// invalidToken is a token that is not known (any more).
func invalidToken() answer {
	return oauthError(http.StatusUnauthorized, "invalid_token", invalidTokenText, "")
}

// insufficientScope is a token without any of the scopes.
func insufficientScope(scopes []string) answer {
	scope := `scope="` + strings.Join(scopes, " ") + `", `
	return oauthError(http.StatusForbidden, "insufficient_scope", scopeText, scope)
}

// oauthError is an answer of authlib's.
func oauthError(status int, code, text, scope string) answer {
	reply := jsonAnswer(status, `{"error": "`+code+`", "error_description": "`+text+`"}`)
	reply.header.Set("Cache-Control", "no-store")
	reply.header.Set("Pragma", "no-cache")
	reply.header.Set("WWW-Authenticate",
		`Bearer realm="polar", `+scope+`error="`+code+`", error_description="`+text+`"`)
	return reply
}

// notPermitted is a user's token who may not manage customers.
func notPermitted() answer {
	return jsonAnswer(http.StatusForbidden,
		`{"error":"NotPermitted","detail":"You don't have permission to manage customers"}`)
}

// invalidRequest is a parameter that pydantic does not take.
func invalidRequest(kind, place, name, message, input string) answer {
	detail := encode([]validationDetail{{kind, []string{place, name}, message, input}})
	return jsonAnswer(http.StatusUnprocessableEntity, `{"error":"RequestValidationError","detail":`+detail+`}`)
}

// validationDetail is one complaint of pydantic's.
type validationDetail struct {
	Type    string   `json:"type"`
	Loc     []string `json:"loc"`
	Message string   `json:"msg"`
	Input   string   `json:"input"`
}

// tooManyRequests has neither a body nor a Content-Type.
func tooManyRequests(wait time.Duration) answer {
	reply := newAnswer(http.StatusTooManyRequests, "", "")
	reply.header.Set("Retry-After", strconv.FormatInt(int64(wait/time.Second), 10))
	return reply
}

// internalError is an exception that nobody caught.
func internalError() answer {
	return newAnswer(http.StatusInternalServerError, "text/plain; charset=utf-8", "Internal Server Error")
}

// encode returns value as FastAPI would write it: compact, nothing escaped
// that need not be.
func encode(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err.Error() // only values of this package's own types get here
	}
	return strings.TrimSuffix(text.String(), "\n")
}
