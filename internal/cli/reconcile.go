package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

type reconcileCommand struct {
	Provider     string `name:"provider" required:"" enum:"${askable}" placeholder:"NAME" help:"Whose users: ${askable}."`
	Deliveries   bool   `name:"deliveries" help:"Look at events that Auth0 failed to deliver instead; with --apply ask for them again."`
	Apply        bool   `name:"apply" help:"Have the customers deleted that are found: they are put into the servers' queue."`
	SoleInstance bool   `name:"sole-instance" help:"Say that no other instance or tenant has users who are customers in this Polar organization; needed by --apply where there is no terminal."`
	Max          int    `name:"max" placeholder:"N" help:"Refuse when more customers than this are found; 0 is no limit."`
	MaxShare     share  `name:"max-share" default:"5%" placeholder:"PERCENT" help:"Refuse when a larger share of the customers than this is found."`
	Restart      bool   `name:"restart" help:"An interrupted run can be resumed for 24 hours; this starts over."`
	ExitCode     bool   `name:"exit-code" help:"Exit 3 when something was found."`
	JSON         bool   `name:"json" help:"Print one JSON object a line, the last one with the counts."`

	operatorFlag

	Config config.Config `embed:""`

	env       *Env
	providers provider.Registry
}

// Help is shown below the flags' list.
func (*reconcileCommand) Help() string {
	return `It finds the customers at Polar whose user is gone at the identity provider, because a webhook got lost. Customers without an external id, with another provider's, or younger than an hour are left alone. So are those with a deletion that waits, is held or was cancelled, and those who reappeared after one. Nothing is deleted without --apply; with it a running server deletes them, with all guards, after asking the provider about each once more.

It works on the database that DATABASE_URL names, beside a running server. Give it the server's environment.`
}

// exitError ends the program with a code of its own and says nothing.
type exitError int

// Error implements error.
func (e exitError) Error() string { return "exit code " + strconv.Itoa(int(e)) }

// errFound is the exit code with --exit-code when something was found.
const errFound = exitError(3)

// Validate refuses what cannot be asked for.
func (c *reconcileCommand) Validate() error {
	switch {
	case c.Max < 0:
		return errors.New("--max must be 0 (no limit) or more")
	case c.Deliveries && c.Provider != directory.ProviderAuth0:
		return errors.New("--deliveries needs --provider auth0: Clerk cannot be asked about deliveries")
	}
	return nil
}

// Run compares Polar's customers with the provider's users.
func (c *reconcileCommand) Run(ctx context.Context, env *Env, loader *config.Loader, providers provider.Registry) (err error) {
	c.env, c.providers = env, providers
	if err := loader.Load(c.all()); err != nil {
		return err
	}
	if c.Deliveries {
		return c.deliveries(ctx)
	}
	if err := c.check(); err != nil {
		return err
	}
	s, err := openSession(ctx, env, c.Config.Database, c.Config.Log, c.By)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup // a sweep may take hours, in which secrets are rotated
	watcher.Go(func() { app.WatchSecrets(watching, c.Config.Secrets(), nil, s.logger) })
	defer watcher.Wait()
	defer stop()
	counts, err := c.sweep(ctx, s)
	if err == nil && c.ExitCode && counts.Orphans > 0 {
		return errFound
	}
	return err
}

// all are the settings.
func (c *reconcileCommand) all() settings.All {
	return settings.All{Config: &c.Config, Providers: c.providers}
}

// check refuses what would not find or not confirm anything, before anything is read.
func (c *reconcileCommand) check() error {
	if err := c.all().CheckReconcile(c.Provider); err != nil {
		return err
	}
	switch {
	case c.Apply && !c.Config.Directory.Confirm():
		return errors.New("--apply needs the confirmation before each deletion: set CONFIRM to true, here and at the servers")
	case c.Apply:
		return c.checkSoleInstance()
	}
	return nil
}

// sweep shares the servers' limiter.
func (c *reconcileCommand) sweep(ctx context.Context, s *session) (reconcile.Counts, error) {
	directories, err := app.NewDirectories(c.all(), c.env.build(), time.Now, s.db)
	if err != nil {
		return reconcile.Counts{}, err
	}
	defer directories.Close() //nolint:errcheck // it was only read
	source := directories.Sources()[c.Provider]
	p, err := s.openPolar(ctx, c.env, c.Config.Polar)
	if err != nil {
		return reconcile.Counts{}, err
	}
	defer p.client.CloseIdleConnections()
	if c.Apply && !p.gate.Open() {
		return reconcile.Counts{}, errors.New("the database belongs to another Polar organization than POLAR_ACCESS_TOKEN: its customers are not found here, and nothing is put into its queue")
	}
	sweeper, err := reconcile.New(reconcile.Options{
		DB: s.db.Main, SQL: s.db.SQL, Polar: p.client, Limiter: p.limiter.ForSweeps(), Source: source, Now: time.Now,
		Pattern: c.Config.Work.ExternalIDPattern, IsUsers: c.all().IDForm().Matches, OnProgress: progress(c.env.Stderr),
	})
	if err != nil {
		return reconcile.Counts{}, err
	}
	limits := reconcile.Limits{Share: float64(c.MaxShare), Max: c.Max, Restart: c.Restart, MostExist: c.Apply && source.IDsAmbiguous}
	return sweeper.Sweep(ctx, limits, func(ctx context.Context, found *reconcile.Found) error { return c.finish(ctx, s, found) })
}

// progress shows on a terminal how far a sweep is, and nothing elsewhere.
func progress(w io.Writer) func(reconcile.Progress) {
	if !isTerminal(w) {
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

// finish prints what was found and, with --apply, hands it to the queue.
func (c *reconcileCommand) finish(ctx context.Context, s *session, found *reconcile.Found) error {
	queue := s.Acceptor(c.Config.Work.DryRun)
	left, err := c.print(ctx, queue, found)
	if err != nil {
		return err
	}
	known, err := c.webhookEvidence(ctx, s, queue, found)
	if err != nil {
		return err
	}
	n, messages := found.Counts, c.env.Stderr
	if c.JSON {
		messages = io.Discard
	}
	fmt.Fprintf(messages, "%s read: %d without an external id, %d with another id than %s's, %d younger than an hour, %d asked about.\n",
		plural(n.Read, "customer"), n.WithoutID, n.Foreign, c.Provider, n.Young, n.Asked)
	fmt.Fprintln(messages, mappingInWords(n.Mapping, c.all().IDForm()))
	if n.Orphans > 0 {
		fmt.Fprintf(messages, "Webhooks that are still known have named %d of the %d without a user. The webhooks about the others got lost, or they are users of another instance.\n", known.named, n.Orphans)
	}
	if left > 0 {
		fmt.Fprintf(messages, "Left alone: %d. A deletion of the same customer waits, is held or was cancelled, or the customer reappeared: "+
			"see the last column, and polar-bridge deletions list --external-id ID.\n", left)
	}
	var receipt deletion.Receipt
	if c.Apply && left < n.Orphans {
		if err := c.confirmSoleInstance(n.Orphans-left, known); err != nil {
			return err
		}
		if receipt, left, err = found.Apply(ctx, queue); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(c.env.Stdout, reconciled{c.Provider, n, known.named, receipt.Accepted, receipt.Duplicates, left})
	}
	fmt.Fprintln(messages, c.summary(n.Orphans, left, receipt))
	return nil
}

// reconciled is the last line that is printed.
type reconciled struct {
	Provider  string           `json:"provider"`          // whose users were asked about
	Counts    reconcile.Counts `json:"counts"`            // what was found
	Named     int              `json:"named_in_webhooks"` // orphans whom webhooks that are still known have named
	Queued    int              `json:"queued"`            // deletions put into the queue, with --apply
	Known     int              `json:"already_queued"`    // deletions that were there already
	LeftAlone int              `json:"left_alone"`        // orphans left alone because of another deletion of theirs
}

// summary says in a sentence what became of the orphans.
func (c *reconcileCommand) summary(orphans, left int, receipt deletion.Receipt) string {
	customers, alone, whom := plural(orphans, "customer"), "", "them"
	if left > 0 {
		alone, whom = fmt.Sprintf(", %d left alone", left), "the others"
	}
	switch {
	case orphans == 0:
		return "Each has a user."
	case left == orphans:
		return customers + " without a user" + alone + ". Nothing was changed."
	case !c.Apply:
		return customers + " without a user" + alone + ". Nothing was changed; --apply has " + whom + " deleted."
	}
	return fmt.Sprintf("%s without a user: %d put into the queue, %d there already%s. See polar-bridge deletions list.", customers, receipt.Accepted, receipt.Duplicates, alone)
}

// print lists the orphans, and counts those that are left alone.
func (c *reconcileCommand) print(ctx context.Context, queue reconcile.Queue, found *reconcile.Found) (left int, err error) {
	table := newTable(c.env.Stdout, "EXTERNAL ID", "POLAR CUSTOMER", "TYPE", "CREATED", "ACTIVE SUBSCRIPTIONS", "LEFT ALONE")
	err = found.Each(ctx, queue, func(o reconcile.Orphan) error {
		if o.LeftAlone != "" {
			left++
		}
		if c.JSON {
			return printJSON(c.env.Stdout, o)
		}
		why := cmp.Or(string(o.LeftAlone), "-")
		if o.HoldReason != "" {
			why += " as " + string(o.HoldReason)
		}
		return table.row(strconv.Quote(o.ExternalID), visible(o.CustomerID), visible(o.Type), at(o.CreatedAt), cmp.Or(number(o.ActiveSubscriptions), "unknown"), why)
	})
	return left, errors.Join(err, table.flush())
}
