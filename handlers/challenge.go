package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/polar-bridge/polar-bridge/metrics"
)

// reasonChallenge is why an answered challenge counts as ignored: it has no
// events.
const reasonChallenge = "challenge"

// Challenger is a Provider that asks with a GET, before it sends anything,
// whether the route is its receiver's.
type Challenger interface {
	// Challenge returns the JSON body that answers the request. Its errors are
	// of kind fault.Unauthenticated or fault.Malformed.
	Challenge(h http.Header) (body []byte, err error)
}

// withChallenge adds p's challenges, if it has any, to its webhooks, and returns
// the methods that the route then has. The body of a GET is not read.
func withChallenge(p Provider, webhook echo.HandlerFunc) (h echo.HandlerFunc, methods []string) {
	challenger, ok := p.(Challenger)
	if !ok {
		return webhook, []string{http.MethodPost}
	}
	return func(c echo.Context) error {
		if c.Request().Method != http.MethodGet {
			return webhook(c)
		}
		rec := recordOf(c)
		rec.provider = p.Name()
		body, err := challenger.Challenge(c.Request().Header)
		if err != nil {
			return err
		}
		rec.outcome, rec.reason = metrics.WebhookIgnored, reasonChallenge
		return c.JSONBlob(http.StatusOK, body)
	}, []string{http.MethodGet, http.MethodPost}
}
