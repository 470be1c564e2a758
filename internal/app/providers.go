package app

import (
	"time"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/identity"
)

// ProviderSettings maps the settings of the operator to those of the identity
// providers, by route name, for those whose secret is set.
func ProviderSettings(clerk *config.Clerk, auth0 *config.Auth0, now func() time.Time) map[string]identity.Settings {
	enabled := map[string]identity.Settings{}
	add := func(name string, secret *config.SecretSource, idField, source string) {
		if secret.IsSet() {
			enabled[name] = identity.Settings{Secrets: secret.Values, Now: now, IDField: idField, Source: source}
		}
	}
	add("clerk", clerk.SigningSecret, clerk.IDField, clerk.InstanceID)
	add("auth0", auth0.WebhookToken, auth0.IDField, auth0.StreamID)
	add("auth0-logs", auth0.LogsToken, "", "")
	return enabled
}

// providers sets up the enabled ones.
func (a *App) providers() ([]handlers.Provider, error) {
	c := a.options.Config
	enabled, err := identity.New(ProviderSettings(&c.Clerk, &c.Auth0, a.options.Now), c.Work.ExternalIDPattern)
	if err != nil {
		return nil, err
	}
	routes := make([]handlers.Provider, len(enabled))
	for i, p := range enabled {
		routes[i] = p
	}
	return routes, nil
}

// providerNames are all known ones: the queue may hold deletions of a provider
// that was switched off.
func providerNames() []string {
	var names []string
	for _, entry := range identity.Entries() {
		names = append(names, entry.Name)
	}
	return names
}
