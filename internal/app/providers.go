package app

import (
	"time"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/identity"
)

// ProviderSettings maps the settings of the operator to those of the identity
// providers, by route name, for those whose secret is set.
func ProviderSettings(c *config.Identity, now func() time.Time) map[string]identity.Settings {
	enabled := map[string]identity.Settings{}
	add := func(name string, secret *config.SecretSource, idField string, sources ...string) {
		if secret.IsSet() {
			enabled[name] = identity.Settings{Secrets: secret.Values, Now: now, IDField: idField, Sources: sources}
		}
	}
	change := func(name string, set func(*identity.Settings)) {
		if s, ok := enabled[name]; ok {
			set(&s)
			enabled[name] = s
		}
	}
	add("clerk", c.Clerk.SigningSecret, c.Clerk.IDField, c.Clerk.Instances()...)
	add("auth0", c.Auth0.WebhookToken, c.Auth0.IDField, c.Auth0.Streams()...)
	add("auth0-logs", c.Auth0.LogsToken, "")
	add("workos", c.WorkOS.WebhookSecret, c.WorkOS.IDField)
	change("workos", func(s *identity.Settings) { s.DirectorySync = c.WorkOS.DirectorySync })
	add("zitadel", c.ZITADEL.WebhookSecret, "")
	change("zitadel", func(s *identity.Settings) { s.EventTypes = c.ZITADEL.Types() })
	add("logto", c.Logto.WebhookSecret, "")
	add("keycloak", c.Keycloak.WebhookSecret, "", c.Keycloak.Realms()...)
	add("standard", c.Standard.WebhookSecret, c.Standard.IDField)
	change("standard", func(s *identity.Settings) { s.EventTypes, s.TypeField = c.Standard.Types(), c.Standard.TypeField })
	add("stytch", c.Stytch.WebhookSecret, "")
	add("okta", c.Okta.WebhookToken, "")
	add("supabase", c.Supabase.WebhookToken, "")
	add("fusionauth", c.FusionAuth.WebhookKey, "")
	published := func(name, address string) {
		if address != "" {
			enabled[name] = identity.Settings{Secrets: func() []string { return []string{address} }, Now: now, PublicKeys: true}
		}
	}
	published("fusionauth", c.FusionAuth.JWKSURL)
	published("kinde", c.Kinde.IssuerURL)
	return enabled
}

// providers sets up the enabled ones.
func (a *App) providers() ([]handlers.Provider, error) {
	c := a.options.Config
	enabled, err := identity.New(ProviderSettings(&c.Identity, a.options.Now), c.Work.ExternalIDPattern)
	if err != nil {
		return nil, err
	}
	routes := make([]handlers.Provider, len(enabled))
	for i, p := range enabled {
		routes[i] = p
	}
	return routes, nil
}
