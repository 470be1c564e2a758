package okta

import (
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// The challenge is a header's value and goes back in a body, so that its form
// is bounded.
const (
	challengeHeader = "X-Okta-Verification-Challenge"
	maxChallenge    = 1 << 10
)

// Challenge answers the request by which Okta verifies a hook, once. Okta sends
// the Authorization value with it, and one that is missing or wrong is refused:
// a hook that were verified without it would lose every event to a 401, because
// Okta never repeats those.
// https://support.okta.com/help/s/article/Unable-to-verify-event-hook-Hook-hook-name-execution-failed
func (p *Provider) Challenge(h http.Header) ([]byte, error) {
	if err := p.CheckHeader(h); err != nil {
		return nil, err
	}
	values := h.Values(challengeHeader)
	if len(values) != 1 || values[0] == "" || len(values[0]) > maxChallenge {
		return nil, fault.New(fault.Malformed, fault.ReasonBadHeader, "header %s is not one value of up to %d bytes", challengeHeader, maxChallenge)
	}
	for i := range len(values[0]) {
		if c := values[0][i]; c < ' ' || c > '~' {
			return nil, fault.New(fault.Malformed, fault.ReasonBadHeader, "header %s is not printable ASCII", challengeHeader)
		}
	}
	return json.Marshal(map[string]string{"verification": values[0]}, jsontext.EscapeForHTML(true))
}
