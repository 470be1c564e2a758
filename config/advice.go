package config

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// Advice is what the settings are likely to be wrong in although they are valid.
// It stops nothing.
type Advice struct {
	// Setting is the name that it is about.
	Setting string
	// Problem follows the name. It shows no setting's value.
	Problem string
	// Do says what to do, as a sentence.
	Do string
}

// Advise looks for what is ignored or taken in another way than was meant: names
// in the environment that are nearly a setting's, values in quotation marks and
// keys of the wrong kind, those of Polar and the misplaced ones. Call it after Load.
func (l *Loader) Advise(c *Config, misplaced ...MisplacedKey) []Advice {
	all := l.adviseNames(c)
	all = append(all, l.adviseQuotes(c)...)
	return append(all, adviseKeys(c, append(polarKeys(), misplaced...))...)
}

// adviseNames finds misspelt names.
func (l *Loader) adviseNames(c *Config) []Advice {
	if l.env.Names == nil {
		return nil
	}
	var settings []string
	for _, entry := range c.Summary() {
		settings = append(settings, entry.Name)
	}
	for _, secret := range c.SecretHelp() {
		settings = append(settings, secret.Name+"_FILE")
	}
	var all []Advice
	for _, name := range slices.Sorted(slices.Values(l.env.Names())) {
		if name == "PORT" || slices.Contains(settings, name) || foreign(name) {
			continue
		}
		if base, found := strings.CutSuffix(name, "_FILE"); found && slices.Contains(settings, base) {
			all = append(all, Advice{name, "is ignored: " + base + " is no secret, and only secrets come from files", "Set " + base + " itself."})
		} else if meant := cmp.Or(nearest(name, settings), l.shortened(name, settings)); meant != "" {
			all = append(all, Advice{name, "is no setting and is ignored, but it is nearly " + meant, "Write " + meant + " if you mean it; else rename or unset " + name + "."})
		}
	}
	return all
}

// foreign says of a name that somebody else put it there: Kubernetes, for every
// Service beside the pod, whatever it is called, or an app that shares the
// environment. https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
func foreign(name string) bool {
	switch name {
	case "POLAR_WEBHOOK_SECRET", "POLAR_SUCCESS_URL", "POLAR_ORGANIZATION_ID", "BETTER_AUTH_SECRET", "BETTER_AUTH_URL", "CONFIG":
		return true
	}
	return strings.HasSuffix(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") ||
		strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_PORT_")
}

// How far a misspelt name may be from the one that was meant. Near very short
// names there are too many others.
const (
	shortName    = 7
	farthest     = 2
	farthestTiny = 1
)

// nearest returns the setting that was most likely meant, "" for none.
func nearest(name string, settings []string) string {
	meant, best := "", farthest+1
	for _, setting := range settings {
		limit := farthest
		if len(setting) < shortName {
			limit = farthestTiny
		}
		if d := distance(strings.ToUpper(name), setting, limit); d <= limit && d < best {
			meant, best = setting, d
		}
	}
	return meant
}

// shortened returns the setting of which the name leaves out one of several words, as
// CLERK_WEBHOOK_SECRET does, "" for none. One that is set is not missed.
func (l *Loader) shortened(name string, settings []string) string {
	const fewest = 3 // words that say enough
	words := strings.Split(name, "_")
	for _, setting := range settings {
		whole := strings.Split(setting, "_")
		if len(words) < fewest || len(whole) != len(words)+1 || l.env.Getenv(setting) != "" || l.env.Getenv(setting+"_FILE") != "" {
			continue
		}
		for i := range whole {
			if slices.Equal(words, slices.Concat(whole[:i], whole[i+1:])) {
				return setting
			}
		}
	}
	return ""
}

// distance counts the letters that must be added, left out, replaced or swapped with
// their neighbour to make one text of the other. It is more than most when it would be,
// whatever it is then.
func distance(a, b string, most int) int {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	if most == 0 || a == "" || b == "" {
		return max(len(a), len(b))
	}
	fewest := min(distance(a[1:], b, most-1), distance(a, b[1:], most-1), distance(a[1:], b[1:], most-1))
	if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
		fewest = min(fewest, distance(a[2:], b[2:], most-1))
	}
	return fewest + 1
}

// adviseQuotes finds values whose quotation marks a shell would have taken away,
// but an env file of Docker's or a manifest has not.
func (l *Loader) adviseQuotes(c *Config) []Advice {
	const problem = "stands in quotation marks, which belong to the value here"
	var all []Advice
	for field, value := range settings(reflect.ValueOf(c)) {
		values := []string{strings.TrimSpace(l.env.Getenv(Name(field)))}
		if secret, ok := reflect.TypeAssert[*SecretSource](value); ok {
			values = append(values, secret.Values()...)
		}
		if slices.ContainsFunc(values, quoted) {
			all = append(all, Advice{Name(field), problem, "Leave the quotation marks out."})
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
		{setting, "sk_", "is the secret key of another service, such as Clerk or Stripe", do},
		{setting, "pk_", "is the publishable key of another service, such as Clerk or Stripe", do},
		{setting, "whsec_", "is the signing secret of a webhook, not an access token", do},
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
