package app

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

// Directories are the identity providers that can be asked: one client each, so
// that all who ask share its token, and rest when one of them is asked to wait.
type Directories struct {
	Clerk *directory.Clerk // nil without a key
	Auth0 *directory.Auth0 // nil without credentials
}

// DirectoriesOptions for NewDirectories.
type DirectoriesOptions struct {
	Providers provider.Registry
	Build     Build
	Now       func() time.Time
	// DB remembers which instances were asked so far; without it any is.
	DB *database.DB
}

// questionTimeout bounds one question to a provider: an attempt's time is.
const questionTimeout = 4 * time.Second

// NewDirectories prepares to ask those for which there are credentials.
func NewDirectories(o DirectoriesOptions) (Directories, error) {
	var all Directories
	if settings := o.Providers.Clerk(); settings.HasAPI() {
		_, api, err := o.open(settings.APIURL)
		if err != nil {
			return Directories{}, err
		}
		all.Clerk = directory.NewClerk(directory.ClerkOptions{API: api, SecretKey: settings.SecretKey.Value, Pinned: o.pinned(directory.ProviderClerk, settings.Instances())})
	}
	if settings := o.Providers.Auth0(); settings.HasAPI() {
		base, api, err := o.open(settings.APIURL())
		if err != nil {
			return Directories{}, err
		}
		all.Auth0 = directory.NewAuth0(directory.Auth0Options{
			API: api, Audience: settings.APIURL() + "/api/v2/", ClientID: settings.ClientID, ClientSecret: settings.ClientSecret.Value,
			Now: o.Now, Tenant: strings.ToLower(base.Host), Pinned: o.pinned(directory.ProviderAuth0, nil),
		})
	}
	return all, nil
}

func (o DirectoriesOptions) open(address string) (*url.URL, *directory.Client, error) {
	base, err := url.Parse(address)
	if err != nil {
		return nil, nil, fmt.Errorf("parse the address of an identity provider's API: %w", err)
	}
	api, err := directory.NewClient(directory.ClientOptions{Base: base, Timeout: questionTimeout, UserAgent: "polar-bridge/" + o.Build.Version, Now: o.Now})
	return base, api, err
}

func (o DirectoriesOptions) pinned(provider string, named []string) *directory.PinnedInstance {
	if o.DB == nil {
		return nil
	}
	return &directory.PinnedInstance{Store: o.DB, Provider: provider, Named: named}
}

// Sources returns them by the names of the routes that their events come by.
func (d Directories) Sources() map[string]directory.Source {
	sources := map[string]directory.Source{}
	if d.Clerk != nil {
		sources[directory.ProviderClerk] = d.Clerk.Source()
	}
	if d.Auth0 != nil {
		source := d.Auth0.Source()
		sources[directory.ProviderAuth0], sources["auth0-logs"] = source, source
	}
	return sources
}
