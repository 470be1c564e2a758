package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
	"github.com/polar-bridge/polar-bridge/internal/settings"
	"github.com/polar-bridge/polar-bridge/polar"
)

type reconcileCommand struct {
	Provider     string `name:"provider" required:"" enum:"clerk,auth0" placeholder:"NAME" help:"Whose users: clerk or auth0."`
	Deliveries   bool   `name:"deliveries" help:"Look at events that Auth0 failed to deliver instead; with --apply ask for them again."`
	Apply        bool   `name:"apply" help:"Have the customers deleted that are found: they are put into the servers' queue."`
	SoleInstance bool   `name:"sole-instance" help:"Say that no other instance or tenant has users who are customers in this Polar organization; needed by --apply where there is no terminal."`
	Max          int    `name:"max" placeholder:"N" help:"Refuse when more customers than this are found; 0 is no limit."`
	MaxShare     string `name:"max-share" default:"5%" placeholder:"PERCENT" help:"Refuse when a larger share of the customers than this is found."`
	Restart      bool   `name:"restart" help:"An interrupted run can be resumed for 24 hours; this starts over."`
	ExitCode     bool   `name:"exit-code" help:"Exit 3 when something was found."`
	JSON         bool   `name:"json" help:"Print one JSON object a line, the last one with the counts."`

	Config config.Config `embed:""`

	providers provider.Registry
}

// Help is shown below the flags' list.
func (*reconcileCommand) Help() string {
	return `It finds the customers at Polar whose user is gone at the identity provider, because a webhook got lost. Customers without an external id, with another provider's, or younger than an hour are left alone. Nothing is deleted without --apply; with it a running server deletes them, with all guards, after asking the provider about each once more.

It works on the database that DATABASE_URL names, beside a running server. Give it the server's environment.`
}

// exitError ends the program with a code of its own and says nothing.
type exitError int

// Error implements error.
func (e exitError) Error() string { return "exit code " + strconv.Itoa(int(e)) }

// errFound is the exit code with --exit-code when something was found.
const errFound = exitError(3)

// Run compares Polar's customers with the provider's users.
func (c *reconcileCommand) Run(ctx context.Context, env *Env, loader *config.Loader, providers provider.Registry) error {
	limits, err := c.limits()
	if err != nil {
		return err
	}
	c.providers = providers
	if err := loader.Load(settings.All{Config: &c.Config, Providers: providers}); err != nil {
		return err
	}
	if c.Deliveries {
		return c.deliveries(ctx, env)
	}
	if err := c.check(); err != nil {
		return err
	}
	if err := c.checkSoleInstance(env); err != nil {
		return err
	}
	group := &deletionsCommand{Log: c.Config.Log}
	found := 0
	err = group.use(ctx, env, loader, func(s *session) (err error) {
		sweeper, closeAll, err := c.open(ctx, env, s.db)
		if err != nil {
			return err
		}
		defer closeAll()
		stopWatching, err := c.watchSecrets(ctx, env)
		if err != nil {
			return err
		}
		defer stopWatching()
		counts, err := sweeper.Sweep(ctx, limits, func(ctx context.Context, found *reconcile.Found) error {
			return c.finish(ctx, env, s, found)
		})
		found = counts.Orphans
		return err
	})
	if err == nil && c.ExitCode && found > 0 {
		return errFound
	}
	return err
}

// watchSecrets uses rotated secrets as serve does: a sweep may take hours.
func (c *reconcileCommand) watchSecrets(ctx context.Context, env *Env) (stop func(), err error) {
	logger, err := app.NewLogger(c.Config.Log, env.Stderr)
	if err != nil {
		return nil, err
	}
	watching, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		app.WatchSecrets(watching, c.Config.Secrets(), nil, logger)
	}()
	return func() { cancel(); <-done }, nil
}

func (c *reconcileCommand) limits() (reconcile.Limits, error) {
	const whole = 100
	percent, err := strconv.ParseFloat(strings.TrimSuffix(c.MaxShare, "%"), 64)
	if err != nil || !strings.HasSuffix(c.MaxShare, "%") || !(percent >= 0 && percent <= whole) {
		return reconcile.Limits{}, usage("--max-share must be a percentage such as 5%% or 0.5%%")
	}
	if c.Max < 0 {
		return reconcile.Limits{}, usage("--max must be 0 (no limit) or more")
	}
	if c.Deliveries && c.Provider != "auth0" {
		return reconcile.Limits{}, usage("--deliveries needs --provider auth0: Clerk cannot be asked about deliveries")
	}
	return reconcile.Limits{Share: percent / whole, Max: c.Max, Restart: c.Restart}, nil
}

// check refuses what would not find or not confirm anything.
func (c *reconcileCommand) check() error {
	if err := c.providers.CheckReconcile(c.Provider); err != nil {
		return err
	}
	switch {
	case !c.Config.Polar.AccessToken.IsSet():
		return errors.New("Polar cannot be asked: set POLAR_ACCESS_TOKEN") //nolint:staticcheck // a name begins it
	case c.Apply && !c.Config.Directory.Confirm():
		return errors.New("--apply needs the confirmation before each deletion: set CONFIRM to true, here and at the servers")
	}
	return nil
}

// open prepares a sweep that shares the servers' limiter.
func (c *reconcileCommand) open(ctx context.Context, env *Env, db *database.DB) (sweeper *reconcile.Sweeper, closeAll func(), err error) {
	directories, err := app.NewDirectories(app.DirectoriesOptions{Providers: c.providers, Build: env.build(), Now: time.Now, DB: db})
	if err != nil {
		return nil, nil, err
	}
	base, err := url.Parse(c.Config.Polar.Endpoint())
	if err != nil {
		return nil, nil, errors.New("POLAR_BASE_URL is not an address")
	}
	limiter, err := ratelimit.New(ctx, ratelimit.Options{
		DB: db.Main, Reader: db.Reader, SQL: db.SQL, Now: time.Now, Name: "polar", PerMinute: c.Config.Polar.RateLimit,
	})
	if err != nil {
		return nil, nil, err
	}
	client := polar.New(polar.Options{
		BaseURL: base, Token: c.Config.Polar.AccessToken.Value, Timeout: c.Config.Polar.Timeout, UserAgent: "polar-bridge/" + env.Version, Now: time.Now,
	})
	sweeper, err = app.NewSweeper(app.SweeperOptions{
		Config: &c.Config, DB: db, Polar: client, Limiter: limiter, Source: directories.Sources()[c.Provider], Now: time.Now, OnProgress: progress(env.Stderr),
	})
	return sweeper, client.CloseIdleConnections, err
}

// progress shows on a terminal how far a sweep is, and nothing elsewhere.
func progress(w io.Writer) func(reconcile.Progress) {
	terminal, ok := w.(*os.File)
	if !ok || !isatty.IsTerminal(terminal.Fd()) {
		return nil
	}
	const width, whole = 30, 100
	return func(p reconcile.Progress) {
		what, total := "reading customers", max(p.Total, 1)
		if p.Checking {
			what = "checking users"
		}
		full := min(width*p.Done/total, width)
		fmt.Fprintf(w, "\r%-18s [%s%s] %3d%% %d of %d ", what, strings.Repeat("#", full), strings.Repeat(".", width-full), min(whole*p.Done/total, whole), p.Done, p.Total)
		if p.Done >= p.Total {
			fmt.Fprintln(w)
		}
	}
}

// summary is the last line for scripts.
type summary struct {
	Provider string           `json:"provider"`
	Counts   reconcile.Counts `json:"counts"`
	// Named is how many of the orphans a webhook has named that is still known.
	Named int `json:"named_in_webhooks"`
	// Queued and Known are what --apply came to: put into the queue now, or
	// there already.
	Queued int `json:"queued"`
	Known  int `json:"already_queued"`
}

// finish prints what was found and, with --apply, hands it to the queue.
func (c *reconcileCommand) finish(ctx context.Context, env *Env, s *session, found *reconcile.Found) error {
	if err := c.print(ctx, env.Stdout, found); err != nil {
		return err
	}
	known, err := c.webhookEvidence(ctx, s, found)
	if err != nil {
		return err
	}
	if !c.JSON {
		c.printSummary(env.Stderr, found.Counts, known)
	}
	var receipt deletion.Receipt
	if c.Apply {
		if err := c.confirmSoleInstance(env, found.Orphans, known); err != nil {
			return err
		}
		if receipt, err = found.Apply(ctx, s.Acceptor(c.Config.Work.DryRun)); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(env.Stdout, summary{c.Provider, found.Counts, known.named, receipt.Accepted, receipt.Duplicates})
	}
	switch n := found.Orphans; {
	case n == 0:
		fmt.Fprintln(env.Stderr, "Each has a user.")
	case !c.Apply:
		fmt.Fprintf(env.Stderr, "%s without a user. Nothing was changed; --apply has them deleted.\n", plural(n, "customer"))
	default:
		fmt.Fprintf(env.Stderr, "%s without a user: %d put into the queue, %d there already. See polar-bridge deletions list.\n",
			plural(n, "customer"), receipt.Accepted, receipt.Duplicates)
	}
	return nil
}

// printSummary tells people what was found.
func (c *reconcileCommand) printSummary(w io.Writer, n reconcile.Counts, known webhookEvidence) {
	fmt.Fprintf(w, "%s read: %d without an external id, %d with another id than %s's, %d younger than an hour, %d asked about.\n",
		plural(n.Read, "customer"), n.WithoutID, n.Foreign, c.Provider, n.Young, n.Asked)
	if n.Orphans > 0 {
		fmt.Fprintf(w, "Webhooks that are still known have named %d of the %d without a user. The webhooks about the others got lost, or they are users of another instance.\n", known.named, n.Orphans)
	}
}

func (c *reconcileCommand) print(ctx context.Context, w io.Writer, found *reconcile.Found) error {
	if c.JSON {
		return found.Each(ctx, func(o reconcile.Orphan) error { return printJSON(w, o) })
	}
	checked := &checkedWriter{to: w}
	table := tabwriter.NewWriter(checked, 0, 0, 2, ' ', 0)
	rows := 0
	err := found.Each(ctx, func(o reconcile.Orphan) error {
		if rows%flushEvery == 0 {
			if err := errors.Join(table.Flush(), checked.err); err != nil {
				return err
			}
			fmt.Fprintln(table, "EXTERNAL ID\tPOLAR CUSTOMER\tTYPE\tCREATED\tACTIVE SUBSCRIPTIONS")
		}
		rows++
		subscriptions := "unknown"
		if o.ActiveSubscriptions != nil {
			subscriptions = strconv.Itoa(*o.ActiveSubscriptions)
		}
		_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", strconv.Quote(o.ExternalID), visible(o.CustomerID), visible(o.Type), at(o.CreatedAt), subscriptions)
		return err
	})
	return errors.Join(err, table.Flush(), checked.err)
}
