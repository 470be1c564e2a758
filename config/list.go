package config

import (
	"regexp"
	"strings"
)

// List returns the parts of a setting between its commas, none of an empty one.
func List(text string) []string {
	if text == "" {
		return nil
	}
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// RequireEach notes a problem with a list of which a part has another form. An
// id that no event can carry has every event ignored.
func (l *Loader) RequireEach(name, text string, form *regexp.Regexp, predicate string) {
	for _, part := range List(text) {
		if !form.MatchString(part) {
			l.Problem(name, predicate)
			return
		}
	}
}
