package config

import (
	"cmp"
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
	known := map[string]bool{"PORT": true}
	var plain, settings []string // those that no file can hold, and all
	for _, entry := range c.Summary() {
		known[entry.Name], settings = true, append(settings, entry.Name)
		plain = append(plain, entry.Name)
	}
	for _, secret := range c.SecretHelp() {
		known[secret.Name+"_FILE"], settings = true, append(settings, secret.Name+"_FILE")
		plain = slices.DeleteFunc(plain, func(name string) bool { return name == secret.Name })
	}
	var all []Advice
	for _, name := range l.env.Names() {
		if known[name] || foreign(name) {
			continue
		}
		if base, found := strings.CutSuffix(name, "_FILE"); found && slices.Contains(plain, base) {
			all = append(all, Advice{name, "is ignored: " + base + " is no secret, and only secrets come from files", "Set " + base + " itself."})
			continue
		}
		if meant := cmp.Or(nearest(name, settings), l.shortened(name, settings)); meant != "" {
			all = append(all, Advice{name, "is no setting and is ignored, but it is nearly " + meant, "Write " + meant + " if you mean it; else rename or unset " + name + "."})
		}
	}
	slices.SortFunc(all, func(a, b Advice) int { return strings.Compare(a.Setting, b.Setting) })
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
		if d := distance(strings.ToUpper(name), setting); d <= limit && d < best {
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

// distance counts the letters that must be added, left out, replaced or swapped
// with their neighbour to make one text of the other (optimal string alignment,
// https://en.wikipedia.org/wiki/Damerau-Levenshtein_distance). It gives up where
// the lengths alone say more than farthest.
func distance(a, b string) int {
	if len(a) > len(b)+farthest || len(b) > len(a)+farthest {
		return farthest + 1
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

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
