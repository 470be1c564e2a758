package deletion

import "errors"

// grace keeps a deletion back, and so cancellable, until its grace period is
// over. A clock that steps back prolongs it by no more than the period itself.
func (d *Deleter) grace(a Attempt) Decision {
	period := d.options.GracePeriod
	left := min(a.ReceivedAt.Add(period).Sub(d.options.Now()), period)
	if left <= 0 {
		return nil
	}
	return Wait{Reason: WaitGrace, For: left, Err: errors.New("the grace period is not over")}
}
