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
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

type doctorCommand struct {
	JSON      bool   `name:"json" help:"Print JSON."`
	PublicURL string `name:"public-url" placeholder:"URL" help:"The address under which the internet reaches the server, to print the addresses to register."`

	AcceptInstance string `name:"accept-instance" placeholder:"ID" help:"Say that from now on this Clerk instance or Auth0 tenant may be asked whether users are gone, although another one was asked so far. The settings' credentials must be its own."`

	Config config.Config `embed:""`
}

// Help is shown below the flags' list.
func (*doctorCommand) Help() string {
	return `Nothing is changed, except what --accept-instance says: no customer is deleted, no database or table is made, and a running server is not disturbed. Polar is asked to delete the customer of a random UUID, which proves address, token and scope.

Give it the settings that serve gets. It exits 1 when there is a fault.`
}

// doctorPatience bounds what is asked of Polar and of the database.
const doctorPatience = 10 * time.Second

// doctorStatus is how a check ended.
type doctorStatus string

// How a check ends.
const (
	doctorOK      doctorStatus = "ok"
	doctorWarning doctorStatus = "warning"
	doctorFault   doctorStatus = "fault"
)

// doctorCheck is one thing that was looked at.
type doctorCheck struct {
	Name   string       `json:"name"`
	Status doctorStatus `json:"status"`
	Detail string       `json:"detail"`
	// Do says what to do about it; "" when there is nothing to do.
	Do string `json:"what_to_do,omitempty"`
}

// doctorReport is what is printed.
type doctorReport struct {
	OK        bool             `json:"ok"`
	Faults    int              `json:"faults"`
	Warnings  int              `json:"warnings"`
	Settings  []doctorSetting  `json:"settings"`
	Providers []doctorProvider `json:"providers"`
	Checks    []doctorCheck    `json:"checks"`
}

// doctor looks at everything that serve needs.
type doctor struct {
	env       *Env
	config    *config.Config
	providers provider.Registry
	flags     map[string]string // flags that were given, by their setting's name
	invalid   map[string]bool   // settings with a problem
	publicURL string
	accept    string            // the instance that --accept-instance names
	accepted  bool              // it is stored
	instances map[string]string // that were asked so far, by provider
	report    doctorReport
}

// Run looks at all there is, whatever is wrong with some of it, and fails when
// there is a fault.
func (c *doctorCommand) Run(ctx context.Context, env *Env, loader *config.Loader, providers provider.Registry, parsed *kong.Context) error {
	publicURL, err := c.checkPublicURL()
	if err != nil {
		return err
	}
	d := &doctor{
		env: env, config: &c.Config, providers: providers, flags: givenFlags(parsed),
		invalid: map[string]bool{}, publicURL: publicURL, accept: c.AcceptInstance, report: doctorReport{OK: true},
	}
	all := settings.All{Config: &c.Config, Providers: providers}
	problems := loader.Load(all.ForServe())
	d.checkSettings(problems)
	for _, advice := range all.Advise(loader) {
		d.add(visible(advice.Setting), doctorWarning, visible(advice.Setting)+" "+advice.Problem+".", advice.Do)
	}
	d.checkProviders()
	d.checkChoices()
	d.checkGuards()
	d.checkNotify()
	d.checkDatabase(ctx)
	d.checkPolar(ctx)
	d.checkDirectories(ctx)
	if err := d.print(c.JSON); err != nil {
		return err
	}
	return d.summary()
}

// checkPublicURL returns the address without a slash at its end.
func (c *doctorCommand) checkPublicURL() (string, error) {
	if c.PublicURL == "" {
		return "https://<your host>", nil
	}
	address, err := url.Parse(c.PublicURL)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" ||
		address.User != nil || address.RawQuery != "" || address.Fragment != "" {
		return "", usage("--public-url must be an address such as https://bridge.example.com")
	}
	return strings.TrimRight(address.String(), "/"), nil
}

// add notes a check.
func (d *doctor) add(name string, status doctorStatus, detail, do string) {
	switch status {
	case doctorOK:
	case doctorWarning:
		d.report.Warnings++
	case doctorFault:
		d.report.Faults++
		d.report.OK = false
	}
	d.report.Checks = append(d.report.Checks, doctorCheck{Name: name, Status: status, Detail: detail, Do: do})
}

// summary fails when there was a fault.
func (d *doctor) summary() error {
	found := plural(d.report.Faults, "fault") + ", " + plural(d.report.Warnings, "warning")
	if !d.report.OK {
		return errors.New(found)
	}
	_, err := fmt.Fprintf(d.env.Stderr, "%s.\n", found)
	return err
}

// checkChoices says what was decided about what cannot be undone.
func (d *doctor) checkChoices() {
	const sentence = "customers are deleted but keep name and e-mail at Polar, and that can never be made up for"
	switch c := d.config.Polar; {
	case d.invalid["POLAR_ANONYMIZE"]: // listed already
	case !c.AnonymizeSet:
		d.add("anonymize", doctorWarning, "POLAR_ANONYMIZE is not set: "+sentence+".", "Decide: set POLAR_ANONYMIZE to true or false.")
	case c.Anonymize:
		d.add("anonymize", doctorOK, "POLAR_ANONYMIZE is true: a deletion also erases name and e-mail at Polar.", "")
	default:
		d.add("anonymize", doctorOK, "POLAR_ANONYMIZE is false: "+sentence+".", "")
	}
	if d.config.Work.DryRun && !d.invalid["DRY_RUN"] {
		d.add("dry run", doctorWarning, "DRY_RUN is on: no customer is deleted at Polar.", "Set DRY_RUN to false when customers shall be deleted.")
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
