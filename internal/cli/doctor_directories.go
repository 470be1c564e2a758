package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

// checkDirectories asks the identity providers' APIs whether the credentials
// work, where there are any.
func (d *doctor) checkDirectories(ctx context.Context) {
	for _, name := range []string{"CLERK_API_URL", "AUTH0_DOMAIN", "CLERK_SECRET_KEY", "AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET", "AUTH_DATABASE_URL"} {
		if d.invalid[name] { // credentials must not go just anywhere
			return
		}
	}
	// The clients ask any instance: which one is checked here.
	directories, err := app.NewDirectories(settings.All{Config: &d.Config, Providers: d.providers}, d.env.build(), time.Now, nil)
	if err != nil {
		d.fault("directories", visible(err.Error())+".", "Correct the address, then run doctor again.")
		return
	}
	defer directories.Close() //nolint:errcheck // it was only read
	if directories.Clerk != nil {
		d.checkClerk(ctx, directories.Clerk)
	}
	if directories.Auth0 != nil {
		d.checkAuth0(ctx, directories.Auth0)
	}
	if directories.AuthDatabase != nil {
		d.checkAuthDatabase(ctx, directories)
	}
	if d.AcceptInstance != "" && !d.accepted {
		d.fault("accept instance", fmt.Sprintf("No credentials that work belong to %s: nothing was accepted.", visible(d.AcceptInstance)), "Give doctor the credentials of that instance or tenant, and its id as doctor prints it.")
	}
	if len(directories.Sources()) > 0 && !d.Config.Directory.Confirm() {
		d.warn("confirm", "CONFIRM is false: deletions are not confirmed at the identity provider, although it could be asked.", "Set CONFIRM to true, or leave it out.")
	}
}

func (d *doctor) checkClerk(ctx context.Context, api *directory.Clerk) {
	asked, err := api.Instance(ctx)
	if err != nil {
		d.addDirectory("clerk api", err, "Check CLERK_SECRET_KEY, CLERK_API_URL and CLERK_INSTANCE_ID: the key of the instance that sends the webhooks.")
		return
	}
	named := d.providers.Clerk().Instances()
	d.checkInstance(ctx, directory.ProviderClerk, asked, named, "CLERK_SECRET_KEY works and belongs to the instance "+visible(asked)+".")
	if len(named) > 1 {
		d.warn("clerk instances", fmt.Sprintf("CLERK_INSTANCE_ID names %d instances, and only %s can be asked: deletions of the others are held as %s.", len(named), visible(asked), deletion.HoldOtherInstance),
			"Run a polar-bridge of its own for each instance, with its own database and key; approve what is held.")
	}
}

func (d *doctor) checkAuth0(ctx context.Context, api *directory.Auth0) {
	var scopes []string
	err := api.Check(ctx)
	if err == nil {
		scopes, err = api.Scopes(ctx)
	}
	if err != nil {
		d.addDirectory("auth0 api", err, "Check AUTH0_DOMAIN (the tenant's own, not a custom one), AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET and the application's grant for the Management API with the scope "+directory.Auth0ScopeUsers+".")
		return
	}
	missing := slices.DeleteFunc([]string{directory.Auth0ScopeStreams, directory.Auth0ScopeDeliveries, directory.Auth0ScopeRedeliver},
		func(scope string) bool { return slices.Contains(scopes, scope) })
	detail := "The credentials work, with the scope " + directory.Auth0ScopeUsers + "."
	if len(missing) > 0 {
		detail += " reconcile --deliveries would need " + strings.Join(missing, ", ") + " as well."
	}
	d.checkInstance(ctx, directory.ProviderAuth0, api.Tenant(), nil, detail)
}

// checkAuthDatabase does what outbox check does, besides whether that database is
// the one that was asked so far.
func (d *doctor) checkAuthDatabase(ctx context.Context, directories app.Directories) {
	const name, run = "outbox", "Have an administrator run in the auth database what polar-bridge outbox sql prints, then run doctor again."
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	asked, err := directories.SQL.Instance(ctx)
	if err != nil {
		d.addDirectory("auth database", err, "Check AUTH_DATABASE_URL, AUTH_DATABASE_SCHEMA and AUTH_DATABASE_USERS. "+run)
		return
	}
	auth := directories.AuthDatabase
	d.checkInstance(ctx, auth.Provider, asked, nil, "AUTH_DATABASE_URL says which users exist, and names the database "+visible(asked)+".")
	report, err := auth.Check(ctx)
	if err != nil {
		report.Faults = append(report.Faults, fmt.Sprintf("It cannot be looked at: %s.", err))
	}
	for _, fault := range report.Faults {
		d.fault(name, visible(fault), run)
	}
	switch {
	case len(report.Faults) > 0:
	case d.Config.AuthDatabase.Outbox:
		d.ok(name, checked(auth, report))
	default:
		d.warn(name, "AUTH_DATABASE_OUTBOX is false: deletions are recorded there, and nobody reads them.", "Set AUTH_DATABASE_OUTBOX to true, or remove the trigger: polar-bridge outbox remove")
	}
}

// checkInstance says whether serve would believe the instance, after the
// operator's word for it, if that is what --accept-instance is.
func (d *doctor) checkInstance(ctx context.Context, provider, asked string, named []string, fine string) {
	name := provider + " api"
	if d.AcceptInstance == asked {
		if err := d.acceptInstance(ctx, provider); err != nil {
			d.fault(name, fmt.Sprintf("Storing that %s may be asked failed: %q.", visible(asked), err.Error()), "Repair the database, then run this again.")
			return
		}
		d.instances[provider], d.accepted = asked, true
	}
	err := directory.CheckInstance(asked, d.instances[provider], named)
	switch {
	case err == nil:
		d.ok(name, fine)
	case len(named) > 0:
		d.addDirectory(name, err, "Set CLERK_SECRET_KEY to the key of the instance that sends the webhooks, or add its id to CLERK_INSTANCE_ID.")
	default:
		d.addDirectory(name, err, "Set the credentials of the instance that sends the webhooks. If it is a new one, run: polar-bridge doctor --accept-instance "+visible(asked))
	}
}

// acceptInstance stores the operator's word in the server's database.
func (d *doctor) acceptInstance(ctx context.Context, provider string) error {
	if d.session == nil {
		return errors.New("the server's database is not there or not up to date")
	}
	return d.session.db.SetInstance(ctx, provider, d.AcceptInstance)
}

// addDirectory notes that a provider gave no clear answer. That it cannot be
// reached stops no webhook: deletions wait.
func (d *doctor) addDirectory(name string, err error, do string) {
	detail := visible(err.Error())
	detail = strings.ToUpper(detail[:1]) + detail[1:] + ". Deletions of its users wait until it answers."
	unanswered, known := errors.AsType[*directory.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
	case known && unanswered.RetryAfter > 0:
		d.warn(name, detail, "Run doctor again later.")
	case known && unanswered.Reason == deletion.RetryDirectoryUnavailable:
		d.warn(name, detail, "Check the network on the way. "+do)
	default:
		d.fault(name, detail, do)
	}
}
