package config

import (
	"slices"
	"strings"
)

// adviseQuotes finds values whose quotation marks a shell would have taken away,
// but an env file of Docker's or a manifest has not.
func (l *Loader) adviseQuotes(c *Config) []Advice {
	const problem = "stands in quotation marks, which belong to the value here"
	secrets := map[string]*SecretSource{}
	for _, secret := range c.Secrets() {
		secrets[secret.Name()] = secret
	}
	var all []Advice
	for _, entry := range c.Summary() {
		values := []string{strings.TrimSpace(l.env.Getenv(entry.Name))}
		if secret := secrets[entry.Name]; secret != nil {
			values = append(values, secret.Values()...)
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

// MisplacedKey is a key that meets the rules of a setting and belongs elsewhere.
type MisplacedKey struct {
	// Setting is where it stands.
	Setting string
	// Prefix is what such keys begin with.
	Prefix string
	// Problem and Do are as in Advice.
	Problem, Do string
}

// polarKeys lists those that stand beside the right one at Polar.
// https://github.com/polarsource/polar (server/polar/oauth2/constants.py)
func polarKeys() []MisplacedKey {
	const (
		setting = "POLAR_ACCESS_TOKEN"
		do      = "Create an organization access token (polar_oat_…) with the scope customers:write at Polar, under the organization's settings."
	)
	return []MisplacedKey{
		{setting, "polar_whs_", "is the secret of a webhook of Polar's, not an access token", do},
		{setting, "polar_cst_", "is the session of one customer, not an organization's access token", do},
		{setting, "polar_cs_", "is the secret of an OAuth client, not an access token", do},
		{setting, "polar_rt_", "is a refresh token, not an access token", do},
	}
}

// adviseKeys finds keys of the wrong kind.
func adviseKeys(c *Config, misplaced []MisplacedKey) []Advice {
	var all []Advice
	for _, secret := range c.Secrets() {
		for _, value := range secret.Values() {
			for _, k := range misplaced {
				if k.Setting == secret.Name() && strings.HasPrefix(value, k.Prefix) {
					all = append(all, Advice{k.Setting, k.Problem, k.Do})
				}
			}
		}
	}
	return all
}
