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
	if c.Directory.AsksClerk() {
		api, err := Clerk(c, build, now)
		if err != nil {
			return nil, err
		}
		sources["clerk"] = api.Source()
	}
	if c.Directory.AsksAuth0() {
		api, err := Auth0(c, build, now)
		if err != nil {
			return nil, err
		}
		source := api.Source()
		sources["auth0"], sources["auth0-logs"] = source, source
	}
	return sources, nil
}

// Auth0 returns Auth0's Management API, for which there must be credentials.
func Auth0(c *config.Config, build Build, now func() time.Time) (*auth0.Directory, error) {
	address := c.Directory.Auth0URL()
	api, err := openAPI(c, build, now, address)
	if err != nil {
		return nil, err
	}
	return auth0.New(auth0.Options{
		API: api, Audience: address + "/api/v2/", ClientID: c.Directory.Auth0ClientID,
		ClientSecret: c.Directory.Auth0ClientSecret.Value, Now: now,
	}), nil
}

// Clerk returns Clerk's Backend API, for which there must be a key.
func Clerk(c *config.Config, build Build, now func() time.Time) (*clerk.Directory, error) {
	api, err := openAPI(c, build, now, c.Directory.ClerkAPIURL)
	if err != nil {
		return nil, err
	}
	return clerk.New(clerk.Options{API: api, SecretKey: c.Directory.ClerkSecretKey.Value, InstanceID: c.Clerk.InstanceID}), nil
}

func openAPI(c *config.Config, build Build, now func() time.Time, address string) (*rest.Client, error) {
	base, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("parse the address of an identity provider's API: %w", err)
	}
	return rest.New(rest.Options{Base: base, Timeout: c.Directory.QuestionTimeout(), UserAgent: "polar-bridge/" + build.Version, Now: now})
}

// openConfirmer prepares to ask them before each deletion. Without any it
// still keeps back what only a comparison found.
func (a *App) openConfirmer() error {
	var sources map[string]directory.Source
	if a.options.Config.Directory.Confirm {
		asked, err := Directories(a.options.Config, a.options.Build, a.options.Now)
		if err != nil {
			return err
		}
		sources = asked
	}
	a.confirmer = confirm.New(sources, a.options.Now)
	return nil
}
