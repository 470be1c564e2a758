package provider

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Options are what providers need of the program.
type Options struct {
	// Now is the clock.
	Now       func() time.Time
	Transport http.RoundTripper // fetches the keys that providers publish; nil for an own one
}

// Registry is every provider, each with settings of its own that have to be loaded.
type Registry []*Spec

// All returns every provider, in the order of the documentation.
func All(o Options) Registry {
	r := Registry{
		clerk(o),
		auth0(),
		auth0Logs(),
		workOS(o),
		zitadel(o),
		logto(),
		keycloak(),
		standard(o),
		stytch(o),
		okta(),
		supabase(),
		kinde(o),
		fusionAuth(o),
		betterAuth(o),
	}
	gateway := signature.NewHookdeck()
	for _, s := range r {
		s.now, s.gateway = o.Now, gateway
		s.MaxBody = max(s.MaxBody, MaxEvent)
	}
	return r
}

// Settings points to the settings of each provider, for config.Config.
func (r Registry) Settings() []any {
	all := make([]any, len(r))
	for i, s := range r {
		all[i] = s.Settings
	}
	return all
}

// Names lists the route names of every provider.
func (r Registry) Names() []string {
	names := make([]string, len(r))
	for i, s := range r {
		names[i] = s.Name
	}
	return names
}

// Lookup returns the provider with the name, if there is one.
func (r Registry) Lookup(name string) (*Spec, bool) {
	i := slices.IndexFunc(r, func(s *Spec) bool { return s.Name == name })
	if i < 0 {
		return nil, false
	}
	return r[i], true
}

// Enabled returns the providers that are enabled, in the order of the registry.
func (r Registry) Enabled() Registry {
	return slices.DeleteFunc(slices.Clone(r), func(s *Spec) bool { return !s.Enabled() })
}

// Load implements config.Section: it reads the secrets and checks the settings.
func (r Registry) Load(l *config.Loader) {
	for _, s := range r {
		if s.Secret != nil {
			*s.Secret = l.Secret(s.EnabledBy, config.Several(s.SplitSecret, s.Scheme.SetKeys))
		}
		if s.Published != nil && s.KeysURL() != "" {
			if err := s.Published.SetKeys([]string{s.KeysURL()}); err != nil {
				l.Invalid(s.KeysURLEnv, err.Error())
			}
		}
		if s.Check != nil {
			s.Check(l)
		}
	}
}

// Misplaced are the keys that operators put in the place of any provider's secret.
func (r Registry) Misplaced() []config.MisplacedKey {
	var all []config.MisplacedKey
	for _, s := range r {
		all = append(all, s.Misplaced...)
	}
	return all
}

// RequireOne notes a problem when no provider is enabled, unless one that is
// meant to be has a problem of its own already. Instead are settings that would do.
func (r Registry) RequireOne(l *config.Loader, instead ...string) {
	var names []string
	for _, s := range r {
		for _, name := range slices.Compact([]string{s.EnabledBy, s.KeysURLEnv}) {
			if s.Enabled() || l.HasProblem(name) {
				return
			}
			if name != "" {
				names = append(names, name)
			}
		}
	}
	l.Problem("No identity provider", "is enabled; set one of "+strings.Join(append(names, instead...), ", "))
}

// CheckReconcile reports why Polar's customers cannot be compared with the users of
// the named provider, as a sentence for people; nil if they can.
func (r Registry) CheckReconcile(name string) error {
	if s, ok := r.Lookup(name); ok && s.CheckReconcile != nil {
		return s.CheckReconcile()
	}
	return errors.New(name + " cannot be asked which users exist")
}

// Clerk returns Clerk's settings, for whoever asks its API.
func (r Registry) Clerk() *Clerk { return settingsOf[*Clerk](r) }

// Auth0 returns Auth0's settings, for whoever asks its API.
func (r Registry) Auth0() *Auth0 { return settingsOf[*Auth0](r) }

// Auth0Logs returns the settings of Auth0's log streams, whose deletions the same
// API confirms.
func (r Registry) Auth0Logs() *Auth0Logs { return settingsOf[*Auth0Logs](r) }

func settingsOf[S any](r Registry) S {
	for _, s := range r {
		if settings, ok := s.Settings.(S); ok {
			return settings
		}
	}
	var none S
	return none
}
