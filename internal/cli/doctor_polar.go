package cli

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/binding"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/settings"
	"github.com/polar-bridge/polar-bridge/polar"
)

// doctorProbe is what Polar answered to the deletion of nobody.
type doctorProbe struct {
	endpoint      *url.URL
	answer        polar.Answer
	err           error
	before, after time.Time
}

// checkPolar asks Polar to delete the customer of a random UUID, and then what else it
// knows.
func (d *doctor) checkPolar(ctx context.Context, form settings.IDForm) {
	for _, name := range []string{"POLAR_SERVER", "POLAR_BASE_URL"} {
		if d.invalid[name] { // the token must not go just anywhere
			d.warn("polar", "Not asked, because "+name+" is not valid.", "Correct it, then run doctor again.")
			return
		}
	}
	p := doctorProbe{endpoint: d.Config.Polar.Endpoint()}
	client := d.env.polar(d.Config.Polar, doctorTimeout)
	defer client.CloseIdleConnections()
	p.before = time.Now()
	p.answer, p.err = client.Probe(ctx)
	p.after = time.Now()
	d.judgePolar(p)
	d.judgeToken(p.answer)
	d.judgeClock(p)
	if p.answer.Result == polar.ResultNotFound {
		d.checkMetadata(ctx, client)
	}
	faults := d.report.Faults
	if d.binding != nil {
		d.checkBinding(ctx, client, *d.binding)
	}
	if p.answer.Result == polar.ResultNotFound && d.report.Faults == faults {
		d.checkCustomers(ctx, client, form)
	}
}

// checkMetadata says whether customers can be searched by POLAR_METADATA_KEY: it
// searches for nobody.
func (d *doctor) checkMetadata(ctx context.Context, client *polar.Client) {
	const name = "metadata search"
	key := d.Config.Polar.MetadataKey
	if key == "" || d.invalid["POLAR_METADATA_KEY"] {
		return
	}
	var missing []string
	for _, of := range polar.Resources() {
		found, answer, _ := client.FindByMetadata(ctx, of, key, rand.Text()) // the answer says what there is to say
		switch {
		case answer.LacksScope():
			missing = append(missing, string(of)+":read")
		case answer.Result != polar.ResultFound:
			d.warn(name, fmt.Sprintf("Not proved: Polar does not list %s by POLAR_METADATA_KEY%s.", of, code(answer)), "Run doctor again when Polar answers as it should; meanwhile the deletions that need it are tried again.")
			return
		case found.FilterIgnored:
			d.warn(name, fmt.Sprintf("Polar ignores the filter and lists all %s: nobody can be found by POLAR_METADATA_KEY.", of), "Unset POLAR_METADATA_KEY, or ask Polar's support about metadata filters.")
			return
		}
	}
	if len(missing) > 0 {
		scopes := strings.Join(missing, " and ")
		d.warn(name, "POLAR_METADATA_KEY is set, and the token lacks the scope "+scopes+": customers who have the user's id only there are not found.", "Add the scope to the token, or create one with customers:write, subscriptions:read and orders:read.")
		return
	}
	d.ok(name, "Customers without an external id are searched by the metadata "+visible(key)+"; whoever is found is held.")
}

// checkBinding says which Polar the database belongs to. Only where that is an
// organization, Polar is asked which one the token is of.
func (d *doctor) checkBinding(ctx context.Context, client *polar.Client, b database.Binding) {
	const (
		name   = "binding"
		rebind = "Correct POLAR_ACCESS_TOKEN, POLAR_BASE_URL or DATABASE_URL; or take the database over, with nothing waiting or held: polar-bridge rebind --because TEXT"
	)
	since := b.Since.Format(time.RFC3339)
	here := binding.Address(d.Config.Polar.Endpoint())
	switch {
	case b == (database.Binding{}):
		d.ok(name, "The database belongs to no Polar organization yet; the first serve binds it to its own.")
		return
	case b.Organization == "" && b.Address == here:
		d.ok(name, fmt.Sprintf("The database belongs to the Polar at %s since %s, which has not said yet which organization it is.", visible(b.Address), since))
		return
	case b.Organization == "":
		d.fault(name, fmt.Sprintf("The database belongs to the Polar at %s since %s, and this one is at %s: webhooks would be stored, and nothing sent.",
			visible(b.Address), since, visible(here)), rebind)
		return
	}
	belongs := fmt.Sprintf("The database belongs to the organization %s since %s", visible(b.Organization), since)
	page, answer, _ := client.ListCustomers(ctx, 1, 1) // the answer says what there is to say
	switch {
	case answer.Result != polar.ResultFound || len(page.Customers) == 0:
		d.warn(name, belongs+"; Polar does not say which one POLAR_ACCESS_TOKEN is of.", "Run doctor again when Polar answers and has a customer.")
	case page.Customers[0].OrganizationID != b.Organization:
		d.fault(name, fmt.Sprintf("%s, and POLAR_ACCESS_TOKEN is of %s: webhooks are stored, and nothing is sent.", belongs, visible(page.Customers[0].OrganizationID)), rebind)
	default:
		d.ok(name, belongs+", which POLAR_ACCESS_TOKEN is of.")
	}
}

// judgePolar says whether Polar is there.
func (d *doctor) judgePolar(p doctorProbe) {
	const name = "polar"
	const wait = "Deletions wait meanwhile and are tried again by themselves. "
	answers := fmt.Sprintf("%s answers %d", visible(p.endpoint.String()), p.answer.StatusCode)
	took := p.after.Sub(p.before).Round(time.Millisecond)
	switch p.answer.Result {
	case polar.ResultNotFound, polar.ResultUnauthorized:
		if took > d.Config.Polar.Timeout && !d.invalid["POLAR_TIMEOUT"] {
			d.warn(name, fmt.Sprintf("%s after %s, which is longer than POLAR_TIMEOUT.", answers, took), "Find out what is slow on the way, or raise POLAR_TIMEOUT.")
			return
		}
		d.ok(name, fmt.Sprintf("%s after %s%s.", answers, took, apiVersion(p.answer)))
	case polar.ResultRateLimited:
		d.warn(name, fmt.Sprintf("%s: the organization's limit is used up. It asks to wait %s.", answers, p.answer.RetryAfter),
			wait+"Run doctor again after that time; if it happens often, lower POLAR_RATE_LIMIT.")
	case polar.ResultServerError:
		d.fault(name, answers+".", wait+"Look at Polar's status page and run doctor again.")
	case polar.ResultForbidden:
		d.fault(name, answers+code(p.answer)+".",
			wait+"This 403 says nothing about the token: Cloudflare or another proxy in front of Polar refuses this machine's address or its requests. Ask Polar's support with that address.")
	case polar.ResultNetworkError:
		d.fault(name, fmt.Sprintf("%s does not answer: %q.", visible(p.endpoint.String()), p.err), d.networkHint(p.err))
	case polar.ResultDeleted, polar.ResultRejected, polar.ResultUnexpected, polar.ResultFound:
		d.fault(name, answers+code(p.answer)+apiVersion(p.answer)+", which Polar never does when all is well.",
			"Check POLAR_BASE_URL: leave it unset for Polar itself, and let it end before /v1. "+
				"A proxy on the way must pass the path on as it is and must not add a Polar-Version header.")
	}
}

// networkHint says what to do when there was no answer.
func (d *doctor) networkHint(err error) string {
	for _, proxy := range []string{"HTTPS_PROXY", "https_proxy"} {
		if d.Config.Polar.Endpoint().Scheme == "https" && d.env.Getenv(proxy) != "" { // plain http is loopback, to which no proxy leads
			return proxy + " is set: check that the proxy is there and lets requests to Polar through."
		}
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "Check the name in POLAR_BASE_URL and this machine's DNS; if it reaches the internet by a proxy only, set HTTPS_PROXY."
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "Install the CA certificates of this machine, or of the proxy that opens the connection on the way."
	}
	return "Check that this machine may connect there (firewall, POLAR_BASE_URL); if it reaches the internet by a proxy only, set HTTPS_PROXY."
}

// judgeToken says whether the token may delete customers.
func (d *doctor) judgeToken(answer polar.Answer) {
	const name = "polar token"
	switch {
	case !d.Config.Polar.AccessToken.IsSet():
		d.warn(name, "Not proved, because there is no valid POLAR_ACCESS_TOKEN.", "Set it, then run doctor again.")
	case answer.Result == polar.ResultNotFound:
		d.ok(name, "It works and has the scope customers:write; nothing was deleted to find out.")
	case answer.Result == polar.ResultUnauthorized:
		detail, do := d.refusal(answer)
		d.fault(name, detail+code(answer)+".", do)
	default:
		d.warn(name, "Not proved, because Polar did not answer as it should.", "Put that right, then run doctor again.")
	}
}

// refusal explains why Polar does not take the token.
func (d *doctor) refusal(answer polar.Answer) (detail, do string) {
	const create = "create an organization access token with the scope customers:write in the organization's settings at Polar."
	other := map[string]string{"production": "sandbox", "sandbox": "production"}[d.Config.Polar.Server]
	switch answer.ErrorCode {
	case "insufficient_scope":
		return "It is valid but lacks the scope customers:write", "Add the scope to the token, or " + create
	case "invalid_token":
		do := "If it was revoked or has expired, " + create
		if d.Config.Polar.BaseURL == "" {
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

// judgeClock compares this machine's clock with that of Polar's answer.
func (d *doctor) judgeClock(p doctorProbe) {
	const (
		name            = "clock"
		notable, severe = 2 * time.Second, time.Minute // webhooks are refused when they seem to be 5 minutes old
		do              = "Let this machine keep its clock by NTP: webhooks that seem to be older than 5 minutes are refused."
	)
	if p.answer.Date.IsZero() {
		d.warn(name, "Not compared, because Polar gave no time.", "Run doctor again when Polar answers.")
		return
	}
	skew := clockSkew(p.answer.Date, p.before, p.after)
	size, direction := skew.Abs().Round(time.Second), "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	detail := fmt.Sprintf("It is at least %s %s Polar's.", size, direction)
	switch {
	case skew.Abs() > severe:
		d.fault(name, detail, do)
	case skew.Abs() > notable:
		d.warn(name, detail, do)
	default:
		d.ok(name, "It agrees with Polar's to within 2 seconds.")
	}
}

// clockSkew returns how far this machine's clock is ahead, at least: date was
// cut to whole seconds and was taken some time between before and after.
func clockSkew(date, before, after time.Time) time.Duration {
	if ahead := before.Sub(date.Add(time.Second)); ahead > 0 {
		return ahead
	}
	if behind := date.Sub(after); behind > 0 {
		return -behind
	}
	return 0
}
