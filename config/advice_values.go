package config

import (
	"slices"
	"strings"
)

// adviseQuotes finds values whose quotation marks a shell would have taken away,
// but an env file of Docker's or a manifest has not.
func (l *Loader) adviseQuotes(c *Config) []Advice {
	const problem = "stands in quotation marks, which belong to the value here"
	var all []Advice
	secrets := map[string][]string{"DATABASE_URL": {c.Database.URL.Reveal()}}
	for _, secret := range c.Secrets() {
		secrets[secret.Name()] = secret.Values()
	}
	for _, entry := range c.Summary() {
		values, secret := secrets[entry.Name]
		if !secret {
			values = []string{strings.TrimSpace(l.env.Getenv(entry.Name))}
		}
		if slices.ContainsFunc(values, quoted) {
			all = append(all, Advice{entry.Name, problem, "Leave the quotation marks out."})
		}
	}
	return all
}

func quoted(value string) bool {
	return len(value) > 1 && value[0] == value[len(value)-1] && strings.ContainsRune(`"'`, rune(value[0]))
}

// wrongKind is a key that meets the rules of a setting and belongs elsewhere.
type wrongKind struct{ setting, prefix, problem, do string }

// wrongKinds lists the keys that stand beside the right one in a provider's console.
// https://github.com/polarsource/polar (server/polar/oauth2/constants.py)
// https://supabase.com/docs/guides/api/api-keys
// https://clerk.com/docs/guides/development/clerk-environment-variables
// https://workos.com/docs/reference/api-keys
func wrongKinds() []wrongKind {
	const (
		polar = "Create an organization access token (polar_oat_…) with the scope customers:write at Polar, under the organization's settings."
		made  = "Make a token of your own: openssl rand -hex 32."
	)
	return []wrongKind{
		{"POLAR_ACCESS_TOKEN", "polar_whs_", "is the secret of a webhook of Polar's, not an access token", polar},
		{"POLAR_ACCESS_TOKEN", "polar_cst_", "is the session of one customer, not an organization's access token", polar},
		{"POLAR_ACCESS_TOKEN", "polar_cs_", "is the secret of an OAuth client, not an access token", polar},
		{"POLAR_ACCESS_TOKEN", "polar_rt_", "is a refresh token, not an access token", polar},
		{"CLERK_SECRET_KEY", "pk_", "is a publishable key, which everybody may know, not the secret key", "Set the secret key, sk_live_… or sk_test_…."},
		{"CLERK_SECRET_KEY", "whsec_", "is the signing secret of a webhook, not the secret key", "Set the secret key, sk_live_… or sk_test_…."},
		{"WORKOS_WEBHOOK_SECRET", "sk_", "is an API key of WorkOS, not the secret of the webhook endpoint", "Copy the signing secret from the endpoint's page at WorkOS."},
		{"WORKOS_WEBHOOK_SECRET", "client_", "is the id of a client, which everybody may know, not the secret of the webhook endpoint", "Copy the signing secret from the endpoint's page at WorkOS."},
		{"SUPABASE_WEBHOOK_TOKEN", "eyJ", "is a JSON Web Token: Supabase's anon key is one, and everybody may know that", made},
		{"SUPABASE_WEBHOOK_TOKEN", "sb_publishable_", "is a publishable key, which everybody may know", made},
		{"SUPABASE_WEBHOOK_TOKEN", "sb_secret_", "is a secret key of Supabase's API, which opens the whole database", made},
	}
}

// adviseKeys finds keys of the wrong kind.
func adviseKeys(c *Config) []Advice {
	var all []Advice
	for _, secret := range c.Secrets() {
		for _, value := range secret.Values() {
			for _, k := range wrongKinds() {
				if k.setting == secret.Name() && strings.HasPrefix(value, k.prefix) {
					all = append(all, Advice{k.setting, k.problem, k.do})
				}
			}
		}
	}
	return all
}
