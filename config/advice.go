package config

import (
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
		if meant := nearest(name, settings); meant != "" {
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
