package app

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/authdatabase"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

// Directories are the identity providers that can be asked: one client each, so
// that all who ask share its token, and rest when one of them is asked to wait.
type Directories struct {
	Clerk *directory.Clerk // nil without a key
	Auth0 *directory.Auth0 // nil without credentials
	SQL   *directory.SQL   // nil without AUTH_DATABASE_URL

	// AuthDatabase is what SQL asks, nil without AUTH_DATABASE_URL.
	AuthDatabase *authdatabase.Database
}

// authConnections bound what one replica takes from the auth system's database.
const authConnections = 4

// questionTimeout bounds one question to a provider: an attempt's time is.
const questionTimeout = 4 * time.Second

// NewDirectories prepares to ask those for which there are credentials. The database
// remembers which instances were asked so far; without it (nil) any is.
func NewDirectories(all settings.All, build Build, now func() time.Time, db *database.DB) (Directories, error) {
	providers := all.Providers
	pinned := func(provider string, named []string) *directory.PinnedInstance {
		if db == nil {
			return nil
		}
		return &directory.PinnedInstance{Store: db, Provider: provider, Named: named}
	}
	client := func(base *url.URL) *directory.Client {
		return directory.NewClient(directory.ClientOptions{Base: base, Timeout: questionTimeout, UserAgent: "polar-bridge/" + build.Version, Now: now})
	}
	var d Directories
	if settings := providers.Clerk(); settings.HasAPI() {
		base, err := url.Parse(settings.APIURL)
		if err != nil {
			return Directories{}, fmt.Errorf("CLERK_API_URL: %w", err)
		}
		d.Clerk = &directory.Clerk{API: client(base), SecretKey: settings.SecretKey.Value, Pinned: pinned(directory.ProviderClerk, settings.Instances())}
	}
	if settings := providers.Auth0(); settings.HasAPI() {
		base, err := url.Parse(settings.APIURL())
		if err != nil {
			return Directories{}, fmt.Errorf("AUTH0_DOMAIN: %w", err)
		}
		d.Auth0 = directory.NewAuth0(directory.Auth0Options{
			API: client(base), Audience: settings.APIURL() + "/api/v2/", ClientID: settings.ClientID, ClientSecret: settings.ClientSecret.Value,
			Now: now, Tenant: strings.ToLower(base.Host), Pinned: pinned(directory.ProviderAuth0, nil),
		})
	}
	if users, ok := all.AuthUsers(); ok {
		auth, err := database.Connect(all.AuthDatabase.URL.Value(), authConnections)
		if err != nil {
			return Directories{}, fmt.Errorf("AUTH_DATABASE_URL: %w", err)
		}
		if d.AuthDatabase, err = authdatabase.New(auth, users); err != nil {
			return Directories{}, err
		}
		d.SQL = directory.NewSQL(d.AuthDatabase, pinned(users.Provider, nil))
	}
	return d, nil
}

// Close ends the connections that are kept.
func (d Directories) Close() error {
	if d.AuthDatabase == nil {
		return nil
	}
	return d.AuthDatabase.Close()
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
	if d.SQL != nil {
		source := d.SQL.Source()
		sources[source.Provider] = source
	}
	return sources
}

// RequestChecks find out what speaks against a deletion that an operator requests. How
// people insist is the caller's to say.
func RequestChecks(all settings.All, sources map[string]directory.Source) ops.Checks {
	return ops.Checks{
		Sources: sources, Providers: all.ProviderNames(), Enabled: all.Enabled(), Pattern: all.Work.ExternalIDPattern,
		SharesIDs: func(provider string) bool { return all.CheckReconcile(provider) == nil },
	}
}
