package deletion

import (
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// grace keeps a deletion back, and so cancellable, until its grace period is
// over. Waiting costs no attempt. A clock that steps back prolongs it by no
// more than the period itself.
func (d *Deleter) grace(a event.Attempt) error {
	period := d.options.GracePeriod
	left := min(a.ReceivedAt.Add(period).Sub(d.options.Now()), period)
	if left <= 0 {
		return nil
	}
	return fault.New(fault.Paused, fault.ReasonGrace, "the grace period is not over").After(left)
}
