package settings

import (
	"regexp"
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/authdatabase"
)

// IDForm says which external ids at Polar can be those of users.
type IDForm struct {
	// Matches says whether an id can be one.
	Matches func(id string) bool
	// Of says whose form it is, for people: EXTERNAL_ID_PATTERN or the names of what
	// is enabled.
	Of string
	// Any says that ids may have any form, as far as the settings tell.
	Any bool
}

// IDForm returns the form that EXTERNAL_ID_PATTERN says, else that of the ids of all
// that deletions come from.
func (a All) IDForm() IDForm {
	if pattern := a.Work.ExternalIDPattern; pattern != nil {
		return IDForm{Matches: pattern.MatchString, Of: "EXTERNAL_ID_PATTERN"}
	}
	form := IDForm{Of: strings.Join(a.Enabled(), ", ")}
	var forms []func(id string) bool
	for _, s := range a.Providers.Enabled() {
		if s.IDForm == nil || s.IDForm() == "" {
			form.Any = true
			continue
		}
		forms = append(forms, regexp.MustCompile(s.IDForm()).MatchString)
	}
	if users, ok := a.AuthUsers(); ok && a.AuthDatabase.Outbox {
		form.Any = form.Any || users.Type == authdatabase.Text
		forms = append(forms, users.OwnsID())
	}
	form.Any = form.Any || len(forms) == 0
	form.Matches = func(id string) bool {
		for _, matches := range forms {
			if matches(id) {
				return true
			}
		}
		return form.Any
	}
	return form
}
