package config

import (
	"errors"
	"strings"
	"time"
)

// Directory says how the identity providers are asked which users exist.
type Directory struct {
	// ClerkSecretKey is the secret key of Clerk's Backend API.
	ClerkSecretKey *SecretSource `kong:"-" secret:"CLERK_SECRET_KEY" help:"Secret key of Clerk's Backend API: deletions are confirmed at Clerk."`
	// ClerkAPIURL is where that API is.
	ClerkAPIURL string `name:"clerk-api-url" env:"CLERK_API_URL" type:"setting" default:"https://api.clerk.com" placeholder:"URL" help:"Another address of Clerk's Backend API, for tests and proxies: https, or http on loopback."`
	// Auth0Domain is the tenant's own domain, not a custom one.
	Auth0Domain string `name:"auth0-domain" env:"AUTH0_DOMAIN" type:"setting" placeholder:"DOMAIN" help:"The tenant's own domain, such as example.eu.auth0.com; for tests http://127.0.0.1:PORT."`
	// Auth0ClientID and Auth0ClientSecret are a machine-to-machine application's.
	Auth0ClientID     string        `name:"auth0-client-id" env:"AUTH0_CLIENT_ID" type:"setting" placeholder:"ID" help:"Client id of a machine-to-machine application with the scope read:users."`
	Auth0ClientSecret *SecretSource `kong:"-" secret:"AUTH0_CLIENT_SECRET" help:"Client secret of that application: deletions are confirmed at Auth0."`
	// ConfirmChoice is nil for the default; see Confirm.
	ConfirmChoice *bool `name:"confirm" env:"CONFIRM" type:"setting" help:"Ask the identity provider whether the user is gone before a customer is deleted; on as soon as its credentials are set."`
	// ReconcileInterval is how often serve looks for missed deletions, 0 for never.
	ReconcileInterval time.Duration `name:"reconcile-interval" env:"RECONCILE_INTERVAL" type:"setting" default:"0s" placeholder:"DURATION" help:"How often customers whose user is gone are looked for and reported, 1h to 720h, by one server at a time. 0s is never."`

	// Confirm says whether deletions are confirmed where credentials are set.
	// Load sets it.
	Confirm bool `kong:"-"`
}

// AsksClerk and AsksAuth0 say for which providers there are credentials.
func (d *Directory) AsksClerk() bool { return d.ClerkSecretKey.IsSet() }

// AsksAuth0 is AsksClerk for Auth0.
func (d *Directory) AsksAuth0() bool { return d.Auth0ClientSecret.IsSet() }

// Auth0URL returns the tenant's address.
func (d *Directory) Auth0URL() string {
	if strings.Contains(d.Auth0Domain, "://") {
		return strings.TrimRight(d.Auth0Domain, "/")
	}
	return "https://" + d.Auth0Domain
}

func (d *Directory) load(l *Loader) {
	d.ClerkSecretKey = l.secret("CLERK_SECRET_KEY", one(checkToken))
	d.Auth0ClientSecret = l.secret("AUTH0_CLIENT_SECRET", one(checkToken))
	d.Confirm = d.ConfirmChoice == nil || *d.ConfirmChoice
	checkAddress(l, "CLERK_API_URL", d.ClerkAPIURL)
	if d.Auth0Domain != "" {
		checkAddress(l, "AUTH0_DOMAIN", d.Auth0URL())
	}
	set := d.AsksAuth0()
	l.require(!set || d.Auth0Domain != "", "AUTH0_DOMAIN", "is required with AUTH0_CLIENT_SECRET")
	l.require(!set || d.Auth0ClientID != "", "AUTH0_CLIENT_ID", "is required with AUTH0_CLIENT_SECRET")
	l.require(set || l.bad["AUTH0_CLIENT_SECRET"] || d.Auth0ClientID == "", "AUTH0_CLIENT_SECRET", "is required with AUTH0_CLIENT_ID")
	interval := d.ReconcileInterval
	l.require(interval == 0 || interval >= minReconcileInterval && interval <= maxReconcileInterval,
		"RECONCILE_INTERVAL", "must be 0s (never), or lie between 1h and 720h")
	l.require(d.ConfirmChoice == nil || !*d.ConfirmChoice || set || d.AsksClerk(), "CONFIRM",
		"needs credentials: set CLERK_SECRET_KEY, or AUTH0_DOMAIN, AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET")
}

// Bounds of RECONCILE_INTERVAL.
const (
	minReconcileInterval = time.Hour
	maxReconcileInterval = 720 * time.Hour
)

// CheckReconcile says why Polar's customers cannot be compared with the users
// of the provider, clerk or auth0, as a sentence for people; nil if they can.
func (c *Config) CheckReconcile(provider string) error {
	switch {
	case provider == "clerk" && !c.Directory.AsksClerk():
		return errors.New("Clerk cannot be asked: set CLERK_SECRET_KEY")
	case provider == "clerk" && c.Clerk.IDField != clerkUserID:
		return errors.New("Clerk's users cannot be compared with Polar's customers: CLERK_ID_FIELD is not id, and Clerk can only be asked about ids of its own") //nolint:staticcheck // a name begins it
	case provider == "auth0" && !c.Directory.AsksAuth0():
		return errors.New("Auth0 cannot be asked: set AUTH0_DOMAIN, AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET")
	case provider == "auth0" && c.Auth0.IDField != auth0UserID:
		return errors.New("Auth0's users cannot be compared with Polar's customers: AUTH0_ID_FIELD is not " + auth0UserID + ", and Auth0 can only be asked about ids of its own")
	}
	return nil
}

// Reconciled returns the providers whose users serve compares with Polar's
// customers, none when RECONCILE_INTERVAL is 0.
func (c *Config) Reconciled() []string {
	var names []string
	for _, provider := range []string{"clerk", "auth0"} {
		if c.Directory.ReconcileInterval > 0 && c.CheckReconcile(provider) == nil {
			names = append(names, provider)
		}
	}
	return names
}

// questionTimeout bounds one question to a provider: an attempt's time is.
const questionTimeout = 4 * time.Second

// QuestionTimeout bounds one question to an identity provider.
func (d *Directory) QuestionTimeout() time.Duration { return questionTimeout }
