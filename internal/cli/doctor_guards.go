package cli

import "strings"

// checkGuards says which guards are on and see nothing.
func (d *doctor) checkGuards() {
	if blind := d.config.Guards.Blind(); len(blind) > 0 && !d.invalid["LOOK_BEFORE_DELETE"] {
		d.add("guards", doctorWarning, "LOOK_BEFORE_DELETE is off, so these do nothing: "+strings.Join(blind, ", ")+".",
			"Set LOOK_BEFORE_DELETE to true, or turn them off too.")
	}
}
