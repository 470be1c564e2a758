package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

type sendCommand struct {
	Provider   string `arg:"" optional:"" help:"Whose webhook to send: clerk, auth0 or any other that --list shows."`
	List       bool   `name:"list" help:"List the providers and the setting with the secret of each."`
	URL        string `name:"url" default:"http://127.0.0.1:8080" placeholder:"URL" help:"The server's address, without /webhooks. Anything but loopback needs --yes."`
	ExternalID string `name:"external-id" placeholder:"ID" help:"Whose deletion to send. By default one of the provider's form that no user has; any other needs --yes, because its customer will be deleted."`
	EventID    string `name:"event-id" placeholder:"ID" help:"The event's id; by default a random one. Send one twice to see the repeat recognised."`
	Yes        bool   `name:"yes" help:"Really send it."`
	JSON       bool   `name:"json" help:"Print JSON."`

	Providers kong.Plugins `embed:"" group:"Identity providers"`
}

// testKind is that of the ids that need no --yes: no customer has such an id.
const testKind = "test"

// testID is an id that no user has, of the form of the provider's, because one of
// another form is held where the provider is asked. It is the same one when the event
// is sent again, else it would be no repeat.
func testID(p *provider.Spec, eventID string) string {
	form := regexp.MustCompile("")
	if p.IDForm != nil {
		form = regexp.MustCompile(p.IDForm())
	}
	ids := provider.TestIDs(testKind, fmt.Sprintf("%.12x", sha256.Sum256([]byte(eventID))))
	return ids[max(slices.IndexFunc(ids, form.MatchString), 0)]
}

// maxAnswer bounds what is read of a server's answer.
const maxAnswer = 1 << 20

// sent is what is printed.
type sent struct {
	Provider   string `json:"provider"`    // whose webhook was sent
	URL        string `json:"url"`         // where it was sent
	EventID    string `json:"event_id"`    // the event's
	ExternalID string `json:"external_id"` // whose deletion
	Status     int    `json:"status"`      // HTTP's, of the answer
	Body       string `json:"body"`        // of the answer
}

// Run signs one deletion with the configured secret and posts it.
func (c *sendCommand) Run(ctx context.Context, env *Env, loader *config.Loader, providers provider.Registry) error {
	if c.List {
		return c.list(env, providers)
	}
	if err := loader.Load(providers); err != nil {
		return err
	}
	p, err := sender(providers, c.Provider)
	if err != nil {
		return err
	}
	if err := c.consent(); err != nil {
		return err
	}
	if c.EventID == "" {
		c.EventID = "evt_" + rand.Text()
	}
	if c.ExternalID == "" {
		c.ExternalID = testID(p, c.EventID)
	}
	key, stop, err := signingKey(ctx, p)
	if err != nil {
		return err
	}
	defer stop()
	header, body, err := p.Sample(key, provider.Sample{ExternalID: c.ExternalID, EventID: c.EventID, Time: time.Now(), Anonymous: true})
	if err != nil {
		return fmt.Errorf("make the event: %w", err)
	}
	s := sent{Provider: c.Provider, URL: strings.TrimRight(c.URL, "/") + "/webhooks/" + c.Provider, EventID: c.EventID, ExternalID: c.ExternalID}
	s.Status, s.Body, err = post(ctx, s.URL, header, body)
	if err != nil {
		return err
	}
	err = printAs(env, c.JSON, s, fmt.Sprintf("%s event %s for %q: %d %s", s.Provider, s.EventID, s.ExternalID, s.Status, s.Body))
	return cmp.Or(err, refusal(p, s.Status, s.Body))
}

// refusal says in words why a server did not take an event that was signed with the
// settings' secret; nil when it did.
func refusal(p *provider.Spec, status int, body string) error {
	var said struct {
		Error  string       `json:"error"`
		Reason fault.Reason `json:"reason"`
	}
	_ = json.Unmarshal([]byte(body), &said) // somebody else's answer has none of it
	why := ""
	switch {
	case status/100 == http.StatusOK/100:
		return nil
	case said.Reason == fault.ReasonBodyChanged:
		why = "a proxy in front of the server changes the body; have it pass bodies on as they are"
	case said.Error == string(fault.Unauthenticated):
		why = "the secret differs from the server's: compare " + p.EnabledBy + " here and there (or one of the clocks is minutes off)"
	case said.Error == string(fault.NotFound):
		why = "the server has no such route: " + p.EnabledBy + " is not set there"
	case said.Error == string(fault.Unavailable) || said.Error == string(fault.Internal):
		why = "it is in trouble itself: see its log and polar-bridge doctor"
	case said.Error == string(fault.Unsupported):
		why = "a proxy in front of the server encodes the body"
	case said.Error != "":
		why = said.Error
	case status/100 == http.StatusMultipleChoices/100:
		why = "the address redirects, which providers do not follow: use the one that it redirects to"
	default:
		why = "this is not polar-bridge's answer, but that of something in front of it, or of another program"
	}
	return fmt.Errorf("the server did not take it: %d: %s", status, why)
}

// sendable is what is printed of a provider with --list.
type sendable struct {
	Provider string `json:"provider"` // its name here
	Title    string `json:"title"`    // its own name
	Setting  string `json:"setting"`  // the setting that has its secret
}

// list prints the providers, each with the setting that has its secret.
func (c *sendCommand) list(env *Env, providers provider.Registry) error {
	var all []sendable
	table := newTable(env.Stdout)
	for _, e := range providers {
		all = append(all, sendable{e.Name, e.Title, e.EnabledBy})
		table.line(e.Name, e.EnabledBy, e.Title)
	}
	if c.JSON {
		return printJSON(env.Stdout, all)
	}
	return table.flush()
}

// sender is the provider whose webhook is sent: it must have the server's secret.
func sender(providers provider.Registry, name string) (*provider.Spec, error) {
	switch p, known := providers.Lookup(name); {
	case !known:
		return nil, usage("there is no provider %q: choose one of %s", name, strings.Join(providers.Names(), ", "))
	case !p.Enabled():
		return nil, fmt.Errorf("%s is not set: it must be the secret that the server has", p.EnabledBy)
	default:
		return p, nil
	}
}

// consent refuses what may delete a real customer unless --yes is there.
func (c *sendCommand) consent() error {
	address, err := serverAddress(c.URL)
	if err != nil {
		return err
	}
	switch {
	case c.Yes:
		return nil
	case !loopback(address.Hostname()):
		return usage("%s is not this machine: a signed deletion sent there is carried out; add --yes if you mean it", address.Host)
	case c.ExternalID != "" && !slices.ContainsFunc(provider.TestPrefixes(testKind), func(prefix string) bool { return strings.HasPrefix(c.ExternalID, prefix) }):
		return usage("the customer with that external id will be deleted and their subscriptions end at once; add --yes if you mean it")
	}
	return nil
}

// serverAddress reads --url.
func serverAddress(text string) (*url.URL, error) {
	address, err := url.Parse(text)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		return nil, usage("--url must be an address such as http://127.0.0.1:8080")
	}
	return address, nil
}

// post sends one delivery and returns the answer.
func post(ctx context.Context, address string, header http.Header, body []byte) (status int, answer string, err error) {
	const timeout = 15 * time.Second
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, "", fmt.Errorf("make the request: %w", err)
	}
	request.Header = header
	status, answer, err = roundTrip(request, http.ProxyFromEnvironment)
	if err != nil {
		return 0, "", fmt.Errorf("post the event: %w; is the server running, and is --url its address?", err)
	}
	return status, answer, nil
}

// roundTrip sends a request to where it is addressed and nowhere else: a signed
// deletion follows no redirect.
func roundTrip(request *http.Request, proxy func(*http.Request) (*url.URL, error)) (status int, answer string, err error) {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, Proxy: proxy},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return 0, "", fmt.Errorf("read the answer: %w", err)
	}
	return response.StatusCode, strings.TrimSpace(string(text)), nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
