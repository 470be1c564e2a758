// Package settings puts the settings of the program together: the core's, from package
// config, and those of every provider. What both say against each other is checked
// here.
//
// It must not know what a setting is used for.
package settings

import (
	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

// All is every setting of the program.
type All struct {
	*config.Config

	// Providers have the settings to which Config.Providers points.
	Providers provider.Registry

	serving bool // see ForServe
}

// New returns settings that have to be loaded.
func New(o provider.Options) All {
	providers := provider.All(o)
	return All{Config: &config.Config{Providers: providers.Settings()}, Providers: providers}
}

// Read loads the settings of serve from an environment alone, without flags: for the
// demo and for tests.
func Read(env config.Env, o provider.Options) (All, error) {
	all, loader := New(o), config.NewLoader(env)
	if err := loader.Parse(all.Config); err != nil {
		return All{}, err
	}
	return all, loader.Load(all.ForServe())
}

// ForServe is a with what serve cannot do without: Polar's token and at least one
// provider.
func (a All) ForServe() config.Section {
	a.serving = true
	return a
}

// Load implements config.Section. It also notes what settings say against each other.
func (a All) Load(l *config.Loader) {
	a.Config.Load(l)
	a.Providers.Load(l)
	clerk, auth0, confirm := a.Providers.Clerk(), a.Providers.Auth0(), a.Directory.ConfirmChoice
	a.Providers.Auth0Logs().RequireConfirmation(l, a.Directory.Confirm() && auth0.HasAPI())
	l.Require(confirm == nil || !*confirm || auth0.HasAPI() || clerk.HasAPI(), "CONFIRM",
		"needs credentials: set CLERK_SECRET_KEY, or AUTH0_DOMAIN, AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET")
	l.Require(a.Directory.ReconcileInterval == 0 || len(a.Reconciled()) > 0, "RECONCILE_INTERVAL",
		"needs credentials and the provider's own ids: CLERK_SECRET_KEY and CLERK_ID_FIELD=id, or Auth0's and AUTH0_ID_FIELD=/data/object/user_id")
	if a.serving {
		l.Require(a.Polar.AccessToken.IsSet(), "POLAR_ACCESS_TOKEN",
			"is required; create an organization access token with the scope customers:write at Polar")
		a.Providers.RequireOne(l)
	}
}

// Reconciled returns the providers whose users serve compares with Polar's
// customers, none when RECONCILE_INTERVAL is 0.
func (a All) Reconciled() []string {
	var names []string
	for _, p := range a.Providers {
		if a.Directory.ReconcileInterval > 0 && a.Providers.CheckReconcile(p.Name) == nil {
			names = append(names, p.Name)
		}
	}
	return names
}

// Advise looks for what is likely to be wrong although it is valid. Call it after Load.
func (a All) Advise(l *config.Loader) []config.Advice {
	return l.Advise(a.Config, a.Providers.Misplaced()...)
}
