package config

import "strings"

// Identity is the settings of the identity providers, a section and a file for
// each. A new one adds its field and its line in providers.
type Identity struct {
	Clerk Clerk `embed:"" group:"Identity providers"`
	Auth0 Auth0 `embed:"" group:"Identity providers"`

	WorkOS   WorkOS   `embed:"" group:"Identity providers"`
	ZITADEL  ZITADEL  `embed:"" group:"Identity providers"`
	Logto    Logto    `embed:"" group:"Identity providers"`
	Keycloak Keycloak `embed:"" group:"Identity providers"`

	Standard Standard `embed:"" group:"Identity providers"`
	Stytch   Stytch   `embed:"" group:"Identity providers"`
	Okta     Okta     `embed:"" group:"Identity providers"`
	Supabase Supabase `embed:"" group:"Identity providers"`

	Kinde      Kinde      `embed:"" group:"Identity providers"`
	FusionAuth FusionAuth `embed:"" group:"Identity providers"`
}

// providerSection is one identity provider's settings.
type providerSection interface {
	Section

	// enabledBy names the settings any of which enables a route.
	enabledBy() []string
	// enabled says whether one of them is set.
	enabled() bool
	// secrets are those that may change while the program runs.
	secrets() []*SecretSource
}

func (i *Identity) providers() []providerSection {
	return []providerSection{&i.Clerk, &i.Auth0, &i.WorkOS, &i.ZITADEL, &i.Logto, &i.Keycloak, &i.Standard, &i.Stytch, &i.Okta, &i.Supabase, &i.Kinde, &i.FusionAuth}
}

func (i *Identity) load(l *Loader) {
	for _, section := range i.providers() {
		section.load(l)
	}
}

// requireOne notes a problem when no provider is enabled, unless one that is
// meant to be has a problem of its own already.
func (i *Identity) requireOne(l *Loader) {
	var names []string
	for _, section := range i.providers() {
		if section.enabled() {
			return
		}
		for _, name := range section.enabledBy() {
			if l.bad[name] {
				return
			}
			names = append(names, name)
		}
	}
	l.problem("No identity provider", "is enabled; set one of "+strings.Join(names, ", "))
}
