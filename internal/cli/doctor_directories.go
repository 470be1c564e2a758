package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/directory/auth0"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// checkDirectories asks the identity providers' APIs whether the credentials
// work, where there are any.
func (d *doctor) checkDirectories(ctx context.Context) {
	settings := &d.config.Directory
	for _, name := range []string{"CLERK_API_URL", "AUTH0_DOMAIN", "CLERK_SECRET_KEY", "AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET"} {
		if d.invalid[name] { // credentials must not go just anywhere
			return
		}
	}
	if settings.AsksClerk() {
		d.checkClerk(ctx)
	}
	if settings.AsksAuth0() {
		d.checkAuth0(ctx)
	}
	asks := settings.AsksClerk() || settings.AsksAuth0()
	if asks && !settings.Confirm {
		d.add("confirm", doctorWarning, "CONFIRM is false: deletions are not confirmed at the identity provider, although it could be asked.", "Set CONFIRM to true, or leave it out.")
	}
}

func (d *doctor) checkClerk(ctx context.Context) {
	const name = "clerk api"
	api, err := app.Clerk(d.config, d.env.build(), time.Now)
	if err == nil {
		err = api.Check(ctx)
	}
	if err != nil {
		d.addDirectory(name, err, "Check CLERK_SECRET_KEY, CLERK_API_URL and CLERK_INSTANCE_ID: the key of the instance that sends the webhooks.")
		return
	}
	if d.config.Clerk.InstanceID == "" {
		d.add(name, doctorOK, "CLERK_SECRET_KEY works. Whether it is of the instance that sends the webhooks is checked with CLERK_INSTANCE_ID only.", "")
		return
	}
	d.add(name, doctorOK, "CLERK_SECRET_KEY works and is of the instance that CLERK_INSTANCE_ID names.", "")
}

func (d *doctor) checkAuth0(ctx context.Context) {
	const name = "auth0 api"
	const check = "Check AUTH0_DOMAIN (the tenant's own, not a custom one), AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET and the application's grant for the Management API with the scope " + auth0.ScopeUsers + "."
	api, err := app.Auth0(d.config, d.env.build(), time.Now)
	var scopes []string
	if err == nil {
		err = api.Check(ctx)
	}
	if err == nil {
		scopes, err = api.Scopes(ctx)
	}
	if err != nil {
		d.addDirectory(name, err, check)
		return
	}
	var missing []string
	for _, scope := range []string{auth0.ScopeStreams, auth0.ScopeDeliveries, auth0.ScopeRedeliver} {
		if !slices.Contains(scopes, scope) {
			missing = append(missing, scope)
		}
	}
	detail := "The credentials work, with the scope " + auth0.ScopeUsers + "."
	if len(missing) > 0 {
		detail += " reconcile --deliveries would need " + strings.Join(missing, ", ") + " as well."
	}
	d.add(name, doctorOK, detail, "")
}

// addDirectory notes that a provider gave no clear answer. That it cannot be
// reached stops no webhook: deletions wait.
func (d *doctor) addDirectory(name string, err error, do string) {
	detail := visible(err.Error())
	detail = strings.ToUpper(detail[:1]) + detail[1:] + ". Deletions of its users wait until it answers."
	switch reason := fault.ReasonOf(err); {
	case errors.Is(err, context.Canceled):
	case reason == directory.ReasonRateLimited:
		d.add(name, doctorWarning, detail, "Run doctor again later.")
	case reason == directory.ReasonUnavailable:
		d.add(name, doctorWarning, detail, "Check the network on the way. "+do)
	default:
		d.add(name, doctorFault, detail, do)
	}
}
