package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

type doctorCommand struct {
	JSON      bool   `name:"json" help:"Print JSON."`
	Verbose   bool   `name:"verbose" help:"Also show all settings, valid ones too, and all providers."`
	All       bool   `name:"all" help:"Count all of Polar's customers by their external ids, not a sample. That takes 2 s for each 100 of them at the default POLAR_RATE_LIMIT."`
	PublicURL string `name:"public-url" placeholder:"URL" help:"The address under which the internet reaches the server, to print the addresses to register."`

	AcceptInstance string `name:"accept-instance" placeholder:"ID" help:"Say that from now on this Clerk instance or Auth0 tenant may be asked whether users are gone, although another one was asked so far. The settings' credentials must be its own."`

	Config config.Config `embed:""`
}

// Help is shown below the flags' list.
func (*doctorCommand) Help() string {
	return `Nothing is changed, except what --accept-instance says, and that how many of Polar's customers have which external id is kept for the metrics: no customer is deleted, no database or table is made, and a running server is not disturbed. Polar is asked to delete the customer of a random UUID, which proves address, token and scope.

Give it the settings that serve gets. It exits 1 when there is a fault.`
}

// doctorTimeout bounds what is asked of Polar and of the database.
const doctorTimeout = 10 * time.Second

// doctor looks at everything that serve needs.
type doctor struct {
	*doctorCommand

	env       *Env
	providers provider.Registry
	flags     map[string]string // flags that were given, by their setting's name
	invalid   map[string]bool   // settings with a problem
	accepted  bool              // AcceptInstance is stored
	binding   *database.Binding // nil when the database could not be read
	session   *session          // on the database, nil when it has no deletions that can be counted
	instances map[string]string // that were asked so far, by provider
	report    doctorReport
}

// doctorReport is what is printed.
type doctorReport struct {
	OK        bool             `json:"ok"`        // there is no fault
	Faults    int              `json:"faults"`    // checks that serve cannot do without
	Warnings  int              `json:"warnings"`  // checks to look at
	Settings  []doctorSetting  `json:"settings"`  // all of them
	Providers []doctorProvider `json:"providers"` // all of them
	Checks    []doctorCheck    `json:"checks"`    // what was looked at
	// Customers are those that were counted by their external ids, null when none were.
	Customers *reconcile.Mapping `json:"customers"`
}

// doctorCheck is one thing that was looked at.
type doctorCheck struct {
	Name   string `json:"name"`       // of what was looked at
	Status string `json:"status"`     // ok, warning or fault
	Detail string `json:"detail"`     // what was found
	Do     string `json:"what_to_do"` // about it; "" when there is nothing to do
}

func (d *doctor) ok(name, detail string) {
	d.report.Checks = append(d.report.Checks, doctorCheck{name, "ok", detail, ""})
}

func (d *doctor) warn(name, detail, do string) {
	d.report.Warnings++
	d.report.Checks = append(d.report.Checks, doctorCheck{name, "warning", detail, do})
}

func (d *doctor) fault(name, detail, do string) {
	d.report.Faults++
	d.report.OK = false
	d.report.Checks = append(d.report.Checks, doctorCheck{name, "fault", detail, do})
}

// Validate refuses an address that could not be registered anywhere.
func (c *doctorCommand) Validate() error {
	address, err := url.Parse(c.PublicURL)
	if c.PublicURL != "" && (err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" ||
		address.User != nil || address.RawQuery != "" || address.Fragment != "") {
		return errors.New("--public-url must be an address such as https://bridge.example.com")
	}
	return nil
}

// Run looks at all there is, whatever is wrong with some of it, and fails when
// there is a fault.
func (c *doctorCommand) Run(ctx context.Context, env *Env, loader *config.Loader, providers provider.Registry, parsed *kong.Context) error {
	d := &doctor{
		doctorCommand: c, env: env, providers: providers, flags: flagsGiven(parsed), invalid: map[string]bool{}, report: doctorReport{OK: true},
	}
	all := settings.All{Config: &c.Config, Providers: providers}
	d.checkSettings(loader.Load(all.ForServe()))
	for _, advice := range all.Advise(loader) {
		d.warn(visible(advice.Setting), visible(advice.Setting)+" "+advice.Problem+".", advice.Do)
	}
	d.checkProviders()
	d.checkChoices()
	d.checkDatabase(ctx)
	if d.session != nil {
		defer d.session.db.Close() //nolint:errcheck // what was written is stored
	}
	d.checkPolar(ctx, all.IDForm())
	d.checkDirectories(ctx)
	d.checkHeld(ctx)
	d.checkReconciled(ctx, all)
	if err := d.print(); err != nil {
		return err
	}
	if !d.report.OK {
		return errors.New(d.found())
	}
	_, err := fmt.Fprintf(env.Stderr, "%s.\n", d.found())
	return err
}

func (d *doctor) found() string {
	return plural(d.report.Faults, "fault") + ", " + plural(d.report.Warnings, "warning")
}

// checkChoices says what was decided about what cannot be undone, which guards see
// nothing, and whether anybody is told when deletions wait for a human.
func (d *doctor) checkChoices() {
	const keep = "customers are deleted but keep name and e-mail at Polar, and that can never be made up for"
	switch c := d.Config.Polar; {
	case d.invalid["POLAR_ANONYMIZE"]: // listed already
	case !c.AnonymizeSet:
		d.warn("anonymize", "POLAR_ANONYMIZE is not set: "+keep+".", "Decide: set POLAR_ANONYMIZE to true or false.")
	case c.Anonymize:
		d.ok("anonymize", "POLAR_ANONYMIZE is true: a deletion also erases name and e-mail at Polar.")
	default:
		d.ok("anonymize", "POLAR_ANONYMIZE is false: "+keep+".")
	}
	if d.Config.Work.DryRun && !d.invalid["DRY_RUN"] {
		d.warn("dry run", "DRY_RUN is on: no customer is deleted at Polar.", "Set DRY_RUN to false when customers shall be deleted.")
	}
	if blind := d.Config.Guards.Blind(); len(blind) > 0 && !d.invalid["LOOK_BEFORE_DELETE"] {
		d.warn("guards", "LOOK_BEFORE_DELETE is off, so these do nothing: "+strings.Join(blind, ", ")+".", "Set LOOK_BEFORE_DELETE to true, or turn them off too.")
	}
	switch {
	case d.invalid["NOTIFY_URL"]: // listed already
	case d.Config.Notify.URL.IsSet():
		d.ok("notifications", "NOTIFY_URL is set: held deletions, a refused token and long waits are told there.")
	default:
		d.ok("notifications", "NOTIFY_URL is not set: nobody is told of held deletions, unless Prometheus does.")
	}
}

// print writes the report as tables, what is wrong first, or as JSON.
func (d *doctor) print() error {
	if d.JSON {
		return printJSON(d.env.Stdout, d.report)
	}
	table := newTable(d.env.Stdout)
	switch {
	case d.report.Faults > 0:
		table.line(d.found() + ": put the faults right first.")
	case d.report.Warnings > 0:
		table.line("It works, with " + plural(d.report.Warnings, "warning") + ".")
	default:
		table.line("All is well.")
	}
	table.line()
	table.line("STATUS", "CHECK", "DETAIL")
	for _, status := range []string{"fault", "warning", "ok"} {
		for _, c := range d.report.Checks {
			if c.Status != status {
				continue
			}
			table.line(c.Status, c.Name, c.Detail)
			if c.Do != "" {
				table.line("", "", "-> "+c.Do)
			}
		}
	}
	table.line()
	d.listProviders(table)
	if d.Verbose {
		table.line()
		table.line("SETTING", "SOURCE", "VALUE")
		for _, s := range d.report.Settings {
			table.line(s.Name, s.Source, s.Value)
		}
	}
	return table.flush()
}

// listProviders shows the enabled ones, or all of them.
func (d *doctor) listProviders(table *table) {
	table.line("PROVIDER", "ON", "EVENT ID SIGNED", "OLD REQUESTS REFUSED", "USER IDS REUSABLE", "REGISTER THIS URL")
	for _, p := range d.report.Providers {
		address := p.URL
		switch {
		case !p.Enabled && d.invalid[p.Secret]:
			address = "see " + p.Secret
		case !p.Enabled && !d.Verbose:
			continue
		case !p.Enabled:
			address = p.Secret + " is not set"
		}
		table.line(p.Name, yesNo(p.Enabled), yesNo(p.SignedID), yesNo(p.Timestamped), yesNo(p.IDsReusable), address)
	}
}
