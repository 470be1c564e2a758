// Package identity is the registry of the identity providers whose webhooks are
// understood, one small package each.
//
// It must not know HTTP routes, the queue or where settings come from.
package identity

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"

	"github.com/polar-bridge/polar-bridge/internal/identity/auth0"
	"github.com/polar-bridge/polar-bridge/internal/identity/auth0logs"
	"github.com/polar-bridge/polar-bridge/internal/identity/clerk"
	"github.com/polar-bridge/polar-bridge/internal/identity/fusionauth"
	"github.com/polar-bridge/polar-bridge/internal/identity/keycloak"
	"github.com/polar-bridge/polar-bridge/internal/identity/kinde"
	"github.com/polar-bridge/polar-bridge/internal/identity/logto"
	"github.com/polar-bridge/polar-bridge/internal/identity/okta"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/identity/standard"
	"github.com/polar-bridge/polar-bridge/internal/identity/stytch"
	"github.com/polar-bridge/polar-bridge/internal/identity/supabase"
	"github.com/polar-bridge/polar-bridge/internal/identity/workos"
	"github.com/polar-bridge/polar-bridge/internal/identity/zitadel"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// What the registry's users need of package provider.
type (
	// Provider authenticates and reads the deliveries of one identity provider.
	Provider = provider.Provider
	// Settings set one provider up.
	Settings = provider.Settings
	// Sample is what a realistic delivery is made from.
	Sample = provider.Sample
	// Info is what operators are told about a provider.
	Info = provider.Info
)

// Entry is one provider of the registry.
type Entry struct {
	Info

	// New sets the provider up. It fails closed.
	New func(Settings) (Provider, error)
	// Sample returns headers and body of a delivery that is signed with secret.
	Sample func(secret string, s Sample) (http.Header, []byte, error)
}

// CheckSecret reports why a value cannot serve as the secret that the setting
// holds, by the parser of the provider whose setting it is. The error follows the
// setting's name and never shows the value.
func CheckSecret(setting, value string) error {
	for _, e := range Entries() {
		if e.SecretEnv != setting {
			continue
		}
		err := e.CheckSecret(value)
		if refused, ok := errors.AsType[*signature.SecretError](err); ok {
			return refused.Err
		}
		return err
	}
	return errors.New("is no secret of an identity provider")
}

// CheckSecret reports why a value cannot serve as the provider's secret. The
// error never shows the value.
func (e Entry) CheckSecret(value string) error {
	_, err := e.New(Settings{Secrets: func() []string { return []string{value} }})
	return err
}

// Entries lists every provider, in the order of the documentation.
func Entries() []Entry {
	return []Entry{
		entry(clerk.About(), clerk.New, clerk.Sample),
		entry(auth0.About(), auth0.New, auth0.Sample),
		entry(auth0logs.About(), auth0logs.New, auth0logs.Sample),
		entry(workos.About(), workos.New, workos.Sample),
		entry(zitadel.About(), zitadel.New, zitadel.Sample),
		entry(logto.About(), logto.New, logto.Sample),
		entry(keycloak.About(), keycloak.New, keycloak.Sample),
		entry(standard.About(), standard.New, standard.Sample),
		entry(stytch.About(), stytch.New, stytch.Sample),
		entry(okta.About(), okta.New, okta.Sample),
		entry(supabase.About(), supabase.New, supabase.Sample),
		entry(kinde.About(), kinde.New, kinde.Sample),
		entry(fusionauth.About(), fusionauth.New, fusionauth.Sample),
	}
}

// Names lists the route names of every provider.
func Names() []string {
	var names []string
	for _, e := range Entries() {
		names = append(names, e.Name)
	}
	return names
}

// Lookup returns the entry with the name, if there is one.
func Lookup(name string) (Entry, bool) {
	for _, e := range Entries() {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// New sets up the providers that enabled names, in the order of Entries. With a
// pattern, deletions whose id does not match it are ignored. All problems are
// reported at once.
func New(enabled map[string]Settings, pattern *regexp.Regexp) ([]Provider, error) {
	var providers []Provider
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(enabled)) {
		if _, ok := Lookup(name); !ok {
			problems = append(problems, fmt.Errorf("identity provider %q is not known", name))
		}
	}
	for _, e := range Entries() {
		settings, ok := enabled[e.Name]
		if !ok {
			continue
		}
		p, err := e.New(settings)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		providers = append(providers, WithPattern(p, pattern))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return providers, nil
}

// entry adapts a package's own constructor, whose nil *Provider must not become
// a Provider that is not nil.
func entry[P Provider](
	info Info,
	construct func(Settings) (P, error),
	sample func(string, Sample) (http.Header, []byte, error),
) Entry {
	return Entry{Info: info, Sample: sample, New: func(s Settings) (Provider, error) {
		p, err := construct(s)
		if err != nil {
			return nil, err
		}
		return p, nil
	}}
}
