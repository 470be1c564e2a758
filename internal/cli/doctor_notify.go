package cli

// checkNotify says whether anybody is told when deletions wait for a human.
func (d *doctor) checkNotify() {
	switch {
	case d.invalid["NOTIFY_URL"]: // listed already
	case d.config.Notify.URL.IsSet():
		d.add("notifications", doctorOK, "NOTIFY_URL is set: held deletions, a refused token and long waits are told there.", "")
	default:
		d.add("notifications", doctorOK, "NOTIFY_URL is not set: nobody is told of held deletions, unless Prometheus does.", "")
	}
}
