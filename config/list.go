package config

import (
	"regexp"
	"strings"
)

// list returns the parts of a setting between its commas, none of an empty one.
func list(text string) []string {
	if text == "" {
		return nil
	}
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// requireEach notes a problem with a list of which a part has another form. An
// id that no event can carry has every event ignored.
func (l *Loader) requireEach(name, text string, form *regexp.Regexp, predicate string) {
	for _, part := range list(text) {
		if !form.MatchString(part) {
			l.problem(name, predicate)
			return
		}
	}
}
