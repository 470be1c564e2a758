// Package settings puts the settings of the program together: the core's, from package
// config, and those of every provider. What both say against each other is checked
// here.
//
// It must not know what a setting is used for.
package settings

import (
	"fmt"
	"slices"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/authdatabase"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

// All is every setting of the program.
type All struct {
	*config.Config

	// Providers have the settings to which Config.Providers points.
	Providers provider.Registry
	serving   bool // see ForServe
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
	a.loadGateway(l)
	clerk, auth0, confirm := a.Providers.Clerk(), a.Providers.Auth0(), a.Directory.ConfirmChoice
	a.Providers.Auth0Logs().RequireConfirmation(l, a.Directory.Confirm() && auth0.HasAPI())
	a.loadAuthDatabase(l)
	l.Require(confirm == nil || !*confirm || auth0.HasAPI() || clerk.HasAPI() || a.AuthDatabase.URL.IsSet(), "CONFIRM",
		"needs credentials: set CLERK_SECRET_KEY, or AUTH0_DOMAIN, AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET, or AUTH_DATABASE_URL")
	l.Require(a.Directory.ReconcileInterval == 0 || len(a.Reconciled()) > 0, "RECONCILE_INTERVAL",
		"needs credentials and the provider's own ids: CLERK_SECRET_KEY and CLERK_ID_FIELD=id, Auth0's and AUTH0_ID_FIELD=/data/object/user_id, or AUTH_DATABASE_URL")
	if a.serving {
		l.Require(a.Polar.AccessToken.IsSet(), "POLAR_ACCESS_TOKEN",
			"is required; create an organization access token with the scope customers:write at Polar")
		if !a.AuthDatabase.Outbox {
			a.Providers.RequireOne(l, "AUTH_DATABASE_OUTBOX")
		}
	}
}

func (a All) loadGateway(l *config.Loader) {
	const name, secret = "WEBHOOK_GATEWAY", "WEBHOOK_GATEWAY_SECRET"
	g := &a.Gateway
	g.Secret = l.Secret(secret, config.Several(config.Lines, a.Providers.Gateway().SetKeys))
	if g.Name == "" {
		l.Require(!g.Secret.IsSet(), secret, "counts only with "+name+"; set both or none")
		return
	}
	l.RequireValue(g.Name == provider.GatewayHookdeck, name, "must be "+provider.GatewayHookdeck)
	l.Require(g.Secret.IsSet() || l.HasProblem(secret), name, "needs "+secret)
	l.RequireValue(a.Work.Retention >= provider.MinGatewayRetention, "RETENTION",
		"must be at least 192h with "+name+": what may come a week late must be recognised when it comes twice")
}

func (a All) loadAuthDatabase(l *config.Loader) {
	d := &a.AuthDatabase
	if !d.URL.IsSet() && d.Schema == "" && d.Users == "" {
		return
	}
	_, inColumn, err := authdatabase.Parse(d.Schema, d.Users)
	switch {
	case err == nil:
	case inColumn:
		l.Invalid("AUTH_DATABASE_USERS", err.Error())
	default:
		l.Invalid("AUTH_DATABASE_SCHEMA", err.Error())
	}
}

// AuthUsers returns where the auth system keeps its users, and whether that can be asked.
func (a All) AuthUsers() (users authdatabase.Users, ok bool) {
	users, _, err := authdatabase.Parse(a.AuthDatabase.Schema, a.AuthDatabase.Users)
	return users, err == nil && a.AuthDatabase.URL.IsSet()
}

// CheckReconcile reports why Polar's customers cannot be compared with the users of the
// named provider, as a sentence for people; nil if they can.
func (a All) CheckReconcile(name string) error {
	users, ok := a.AuthUsers()
	switch {
	case ok && users.Provider == name:
		return nil
	case slices.Contains(authdatabase.Providers(), name):
		return fmt.Errorf("%s cannot be asked which users exist: set AUTH_DATABASE_URL, and AUTH_DATABASE_SCHEMA or AUTH_DATABASE_USERS", name)
	}
	return a.Providers.CheckReconcile(name)
}

// Reconciled returns the providers whose users serve compares with Polar's
// customers, none when RECONCILE_INTERVAL is 0.
func (a All) Reconciled() []string {
	var names []string
	for _, name := range a.ProviderNames() {
		if a.Directory.ReconcileInterval > 0 && a.CheckReconcile(name) == nil {
			names = append(names, name)
		}
	}
	return names
}

// ProviderNames lists everything that deletions may come from.
func (a All) ProviderNames() []string {
	names := a.Providers.Names()
	for _, name := range authdatabase.Providers() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Advise looks for what is likely to be wrong although it is valid. Call it after Load.
func (a All) Advise(l *config.Loader) []config.Advice {
	return l.Advise(a.Config, a.Providers.Misplaced()...)
}

// Enabled lists what deletions come from.
func (a All) Enabled() []string {
	names := a.Providers.Enabled().Names()
	if users, ok := a.AuthUsers(); ok && a.AuthDatabase.Outbox && !slices.Contains(names, users.Provider) {
		names = append(names, users.Provider)
	}
	return names
}
