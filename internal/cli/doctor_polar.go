package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/polar"
)

// doctorProbe is what Polar answered to the deletion of nobody.
type doctorProbe struct {
	endpoint      string
	answer        polar.Answer
	err           error
	before, after time.Time
}

// checkPolar asks Polar to delete the customer of a random UUID.
func (d *doctor) checkPolar(ctx context.Context) {
	for _, name := range []string{"POLAR_SERVER", "POLAR_BASE_URL"} {
		if d.invalid[name] { // the token must not go just anywhere
			d.add("polar", doctorWarning, "Not asked, because "+name+" is not valid.", "Correct it, then run doctor again.")
			return
		}
	}
	p := doctorProbe{endpoint: d.config.Polar.Endpoint()}
	base, err := url.Parse(p.endpoint)
	if err != nil {
		d.add("polar", doctorFault, "Its address cannot be parsed.", "Correct POLAR_BASE_URL.")
		return
	}
	client := polar.New(polar.Options{
		BaseURL: base, Token: d.config.Polar.AccessToken.Value, Timeout: doctorPatience, UserAgent: "polar-bridge/" + d.env.Version,
	})
	defer client.CloseIdleConnections()
	p.before = time.Now()
	p.answer, p.err = client.Probe(ctx)
	p.after = time.Now()
	d.judgePolar(p)
	d.judgeToken(p.answer)
	d.judgeClock(p)
}

// judgePolar says whether Polar is there.
func (d *doctor) judgePolar(p doctorProbe) {
	const name = "polar"
	const wait = "Deletions wait meanwhile and are tried again by themselves. "
	answers := fmt.Sprintf("%s answers %d", visible(p.endpoint), p.answer.StatusCode)
	took := p.after.Sub(p.before).Round(time.Millisecond)
	switch p.answer.Result {
	case polar.ResultNotFound, polar.ResultUnauthorized:
		if took > d.config.Polar.Timeout && !d.invalid["POLAR_TIMEOUT"] {
			d.add(name, doctorWarning, fmt.Sprintf("%s after %s, which is longer than POLAR_TIMEOUT.", answers, took), "Find out what is slow on the way, or raise POLAR_TIMEOUT.")
			return
		}
		d.add(name, doctorOK, fmt.Sprintf("%s after %s%s.", answers, took, apiVersion(p.answer)), "")
	case polar.ResultRateLimited:
		d.add(name, doctorWarning, fmt.Sprintf("%s: the organization's limit is used up. It asks to wait %s.", answers, p.answer.RetryAfter),
			wait+"Run doctor again after that time; if it happens often, lower POLAR_RATE_LIMIT.")
	case polar.ResultServerError:
		d.add(name, doctorFault, answers+".", wait+"Look at Polar's status page and run doctor again.")
	case polar.ResultForbidden:
		d.add(name, doctorFault, answers+code(p.answer)+".",
			wait+"This 403 says nothing about the token: Cloudflare or another proxy in front of Polar refuses this machine's address or its requests. Ask Polar's support with that address.")
	case polar.ResultNetworkError:
		d.add(name, doctorFault, fmt.Sprintf("%s does not answer: %q.", visible(p.endpoint), p.err), d.networkHint(p.err))
	case polar.ResultDeleted, polar.ResultRejected, polar.ResultUnexpected, polar.ResultFound:
		d.add(name, doctorFault, answers+code(p.answer)+apiVersion(p.answer)+", which Polar never does when all is well.",
			"Check POLAR_BASE_URL: leave it unset for Polar itself, and let it end before /v1. "+
				"A proxy on the way must pass the path on as it is and must not add a Polar-Version header.")
	}
}

// networkHint says what to do when there was no answer.
func (d *doctor) networkHint(err error) string {
	if proxy := d.proxySetting(); proxy != "" {
		return proxy + " is set: check that the proxy is there and lets requests to Polar through."
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "Check the name in POLAR_BASE_URL and this machine's DNS; if it reaches the internet by a proxy only, set HTTPS_PROXY."
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "Install the CA certificates of this machine, or of the proxy that opens the connection on the way."
	}
	return "Check that this machine may connect there (firewall, POLAR_BASE_URL); if it reaches the internet by a proxy only, set HTTPS_PROXY."
}

// proxySetting names the variable that sends requests to Polar by a proxy.
func (d *doctor) proxySetting() string {
	if strings.HasPrefix(d.config.Polar.Endpoint(), "http:") {
		return "" // that is loopback, to which no proxy leads
	}
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		if d.env.Getenv(name) != "" {
			return name
		}
	}
	return ""
}

// judgeToken says whether the token may delete customers.
func (d *doctor) judgeToken(answer polar.Answer) {
	const name = "polar token"
	switch {
	case !d.config.Polar.AccessToken.IsSet():
		d.add(name, doctorWarning, "Not proved, because there is no valid POLAR_ACCESS_TOKEN.", "Set it, then run doctor again.")
	case answer.Result == polar.ResultNotFound:
		d.add(name, doctorOK, "It works and has the scope customers:write; nothing was deleted to find out.", "")
	case answer.Result == polar.ResultUnauthorized:
		detail, do := d.refusal(answer)
		d.add(name, doctorFault, detail+code(answer)+".", do)
	default:
		d.add(name, doctorWarning, "Not proved, because Polar did not answer as it should.", "Put that right, then run doctor again.")
	}
}

// refusal explains why Polar does not take the token.
func (d *doctor) refusal(answer polar.Answer) (detail, do string) {
	const create = "create an organization access token with the scope customers:write in the organization's settings at Polar."
	other := map[string]string{"production": "sandbox", "sandbox": "production"}[d.config.Polar.Server]
	switch answer.ErrorCode {
	case "insufficient_scope":
		return "It is valid but lacks the scope customers:write", "Add the scope to the token, or " + create
	case "invalid_token":
		do := "If it was revoked or has expired, " + create
		if d.config.Polar.BaseURL == "" {
			return "Polar does not know it", "If it is a token of Polar's " + other + ", set POLAR_SERVER=" + other + ". " + do
		}
		return "Polar does not know it", "Check that it belongs to the Polar behind POLAR_BASE_URL: production and sandbox have tokens of their own. " + do
	case "Unauthorized":
		return "It is of a type that may not delete customers", "Use an organization's token: " + create
	}
	return fmt.Sprintf("It is refused with %d, in other words than Polar's", answer.StatusCode),
		"Check POLAR_BASE_URL and any proxy on the way. If it is Polar itself, " + create
}

// code quotes Polar's word for what is wrong.
func code(answer polar.Answer) string {
	if answer.ErrorCode == "" {
		return ""
	}
	return fmt.Sprintf(" (%d %q)", answer.StatusCode, answer.ErrorCode)
}

// apiVersion quotes the version of Polar's API that answered.
func apiVersion(answer polar.Answer) string {
	if answer.Version == "" {
		return ""
	}
	return fmt.Sprintf(", API version %q", answer.Version)
}
