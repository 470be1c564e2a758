package cli

import (
	"fmt"
	"time"
)

// How far this machine's clock may be off. Webhooks are refused when they seem
// to be 5 minutes old.
const (
	skewNotable = 2 * time.Second
	skewSevere  = time.Minute
)

// judgeClock compares this machine's clock with that of Polar's answer.
func (d *doctor) judgeClock(p doctorProbe) {
	const name = "clock"
	const do = "Let this machine keep its clock by NTP: webhooks that seem to be older than 5 minutes are refused."
	if p.answer.Date.IsZero() {
		d.add(name, doctorWarning, "Not compared, because Polar gave no time.", "Run doctor again when Polar answers.")
		return
	}
	skew := clockSkew(p.answer.Date, p.before, p.after)
	size, direction := skew.Abs().Round(time.Second), "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	detail := fmt.Sprintf("It is at least %s %s Polar's.", size, direction)
	switch {
	case skew.Abs() > skewSevere:
		d.add(name, doctorFault, detail, do)
	case skew.Abs() > skewNotable:
		d.add(name, doctorWarning, detail, do)
	default:
		d.add(name, doctorOK, "It agrees with Polar's to within 2 seconds.", "")
	}
}

// clockSkew returns how far this machine's clock is ahead, at least: date was
// cut to whole seconds and was taken some time between before and after.
func clockSkew(date, before, after time.Time) time.Duration {
	if ahead := before.Sub(date.Add(time.Second)); ahead > 0 {
		return ahead
	}
	if behind := date.Sub(after); behind > 0 {
		return -behind
	}
	return 0
}
