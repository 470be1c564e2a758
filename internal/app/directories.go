package app

import (
	"fmt"
	"net/url"
	"time"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/confirm"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/directory/auth0"
	"github.com/polar-bridge/polar-bridge/internal/directory/clerk"
	"github.com/polar-bridge/polar-bridge/internal/directory/rest"
)

// Directories returns the identity providers that can be asked, by route name.
func Directories(c *config.Config, build Build, now func() time.Time) (map[string]directory.Source, error) {
	sources := map[string]directory.Source{}
	open := func(address string) (*rest.Client, error) {
		base, err := url.Parse(address)
		if err != nil {
			return nil, fmt.Errorf("parse the address of an identity provider's API: %w", err)
		}
		return rest.New(rest.Options{Base: base, Timeout: c.Directory.QuestionTimeout(), UserAgent: "polar-bridge/" + build.Version, Now: now})
	}
	if c.Directory.AsksClerk() {
		api, err := open(c.Directory.ClerkAPIURL)
		if err != nil {
			return nil, err
		}
		sources["clerk"] = clerk.New(clerk.Options{
			API: api, SecretKey: c.Directory.ClerkSecretKey.Value, InstanceID: c.Clerk.InstanceID,
		}).Source()
	}
	if c.Directory.AsksAuth0() {
		address := c.Directory.Auth0URL()
		api, err := open(address)
		if err != nil {
			return nil, err
		}
		source := auth0.New(auth0.Options{
			API: api, Audience: address + "/api/v2/", ClientID: c.Directory.Auth0ClientID,
			ClientSecret: c.Directory.Auth0ClientSecret.Value, Now: now,
		}).Source()
		sources["auth0"], sources["auth0-logs"] = source, source
	}
	return sources, nil
}

// openConfirmer prepares to ask them before each deletion, if any is
// to be asked.
func (a *App) openConfirmer() error {
	if !a.options.Config.Directory.Confirm {
		return nil
	}
	sources, err := Directories(a.options.Config, a.options.Build, a.options.Now)
	if err == nil && len(sources) > 0 {
		a.confirmer = confirm.New(sources, a.options.Now)
	}
	return err
}
