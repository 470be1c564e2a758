package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
	"github.com/polar-bridge/polar-bridge/internal/settings"
	"github.com/polar-bridge/polar-bridge/polar"
)

type selftestCommand struct {
	Provider string        `arg:"" optional:"" help:"Whose webhook to send; by default the only provider that is enabled."`
	URL      string        `name:"url" required:"" placeholder:"URL" help:"The address under which the internet reaches the server, without /webhooks."`
	Email    string        `name:"email" required:"" placeholder:"ADDRESS" help:"An e-mail address of yours for the customer: Polar takes no domain that takes no mail. A word is put before its @, as in you+selftest-k3v9@example.com."`
	Timeout  time.Duration `name:"timeout" default:"2m" placeholder:"DURATION" help:"How long to wait for the deletion."`
	Yes      bool          `name:"yes" help:"Do it at another Polar than the sandbox too, and do not ask."`
	JSON     bool          `name:"json" help:"Print JSON."`

	guarding

	Guards   config.Guards   `embed:"" group:"Guards"`
	Database config.Database `embed:"" group:"Database"`
	Log      config.Log      `embed:"" group:"Logs"`
}

// Help is shown below the flags' list.
func (*selftestCommand) Help() string {
	return `Give it the settings that serve gets, POLAR_SERVER=sandbox best of all. It makes a customer with a random external id, sends its deletion as the identity provider would, through the public address, waits, and asks Polar whether the customer is gone. What it made is removed whatever happens, also after Ctrl-C. Your own endpoints at Polar hear of the customer: customer.created, customer.state_changed, customer.deleted.

Where DATABASE_URL leads to the server's database it also says how long each step took and why one did not happen; elsewhere it can only say whether the customer went. The deletion's source is selftest: export and the metrics of deletions leave it out, polar_bridge_selftest_deletions_total counts it. It takes a place in MAX_DELETIONS_PER_HOUR like any other.

It exits 1 when the customer was not deleted, and says where the way is blocked.`
}

// selftest is one run: what it was given, and what it has made and found.
type selftest struct {
	*selftestCommand

	env      *Env
	provider *provider.Spec
	key      string // signs
	client   *polar.Client
	database *session // on the server's database, nil where it is not to be had
	limiter  *ratelimit.Limiter
	unseen   string // why there is no database

	externalID, eventID string
	customer            polar.Customer
	mayExist            bool // the customer
	times               selftestTimes
	report              selftestReport
}

// Run makes a customer and sees to it that a server deletes them.
func (c *selftestCommand) Run(ctx context.Context, env *Env, loader *config.Loader, providers provider.Registry) (err error) {
	p, err := c.load(loader, providers)
	if err != nil {
		return err
	}
	if err := c.consent(env); err != nil {
		return err
	}
	key, stop, err := signingKey(ctx, p)
	if err != nil {
		return err
	}
	defer stop()
	t := &selftest{
		selftestCommand: c, env: env, provider: p, key: key, eventID: "evt_selftest_" + rand.Text(),
		client: env.polar(c.Polar, c.Polar.Timeout),
	}
	defer t.client.CloseIdleConnections()
	t.openDatabase(ctx)
	if t.database != nil {
		defer func() { err = errors.Join(err, t.database.db.Close()) }()
	}
	if err := t.check(ctx, c.all(providers)); err != nil {
		return fmt.Errorf("nothing was made, because it cannot work: %w", err)
	}
	return t.run(ctx)
}

// load reads the settings and returns the provider.
func (c *selftestCommand) load(loader *config.Loader, providers provider.Registry) (*provider.Spec, error) {
	if err := loader.Load(&c.Polar, &c.Directory, &c.AuthDatabase, &c.Guards, &c.Work, &c.Database, &c.Log, providers); err != nil {
		return nil, err
	}
	if !c.Polar.AccessToken.IsSet() {
		return nil, errNoToken
	}
	if _, err := serverAddress(c.URL); err != nil {
		return nil, err
	}
	enabled := providers.Enabled()
	switch {
	case c.Provider != "":
		return sender(providers, c.Provider)
	case len(enabled) != 1:
		return nil, usage("say whose webhook to send: the settings enable %d providers (%s)", len(enabled), strings.Join(enabled.Names(), ", "))
	}
	return enabled[0], nil
}

// consent asks unless the Polar is a test's.
func (c *selftestCommand) consent(env *Env) error {
	endpoint := c.Polar.Endpoint()
	if c.Polar.BaseURL == "" && c.Polar.Server == "sandbox" || loopback(endpoint.Hostname()) {
		return nil
	}
	return env.confirm(c.Yes, fmt.Sprintf("Make a customer at %s and have it deleted; your own endpoints for Polar's customer.* webhooks will hear of it", endpoint.Host))
}

// check says why a test cannot end well, before anything is made, and chooses the id.
func (t *selftest) check(ctx context.Context, all settings.All) error {
	switch {
	case t.Work.DryRun:
		return errors.New("DRY_RUN is on: the server deletes nobody")
	case t.Guards.GracePeriod >= t.Timeout:
		return fmt.Errorf("GRACE_PERIOD lets every deletion wait for %s: give a longer --timeout", t.Guards.GracePeriod)
	}
	var source directory.Source
	if t.Directory.Confirm() {
		directories, err := app.NewDirectories(all, t.env.build(), time.Now, nil)
		if err != nil {
			return err
		}
		defer directories.Close() //nolint:errcheck // nothing was asked
		source = directories.Sources()[t.provider.Name]
	}
	if err := t.chooseID(source); err != nil {
		return err
	}
	return t.checkDatabase(ctx)
}

// chooseID takes the first id that the settings let through. The provider will be asked
// whether such a user exists, so it must have the form of its ids.
func (t *selftest) chooseID(source directory.Source) error {
	var why string
	for _, id := range provider.SelftestIDs() {
		t.externalID = id
		header, body, err := t.event(time.Now())
		if err != nil {
			return err
		}
		delivery, err := t.provider.Receive(header, body)
		if err != nil {
			return fmt.Errorf("make an event that can be read: %w", err)
		}
		delivery = delivery.Matching(t.Work.ExternalIDPattern)
		switch {
		case len(delivery.Deletions) == 0:
			why = fmt.Sprintf("no external id that selftest makes, %q for example, is taken with these settings: ignored as %s", provider.SelftestIDs()[0], delivery.IgnoreReason)
		case source.OwnsID != nil && !source.OwnsID(delivery.Deletions[0].UserID):
			why = fmt.Sprintf("right before the deletion %s is asked whether the user exists, and no id that selftest makes has the form of its ids: set CONFIRM to false for the test, here and at the server", t.provider.Title)
		default:
			return nil
		}
	}
	return errors.New(why)
}

// event is what is sent.
func (t *selftest) event(at time.Time) (http.Header, []byte, error) {
	header, body, err := t.provider.Selftest(t.key, provider.Sample{ExternalID: t.externalID, EventID: t.eventID, Time: at, Anonymous: true})
	if err != nil {
		return nil, nil, fmt.Errorf("make the event: %w", err)
	}
	return header, body, nil
}
