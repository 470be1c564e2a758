package config

import "time"

// Directory says what the identity providers are asked. How each of them is asked
// is said by its own settings.
type Directory struct {
	// ConfirmChoice is nil for the default; see Confirm.
	ConfirmChoice *bool `name:"confirm" env:"CONFIRM" type:"setting" help:"Ask the identity provider whether the user is gone before a customer is deleted; on as soon as its credentials are set."`
	// ReconcileInterval is how often serve looks for missed deletions, 0 for never.
	ReconcileInterval time.Duration `name:"reconcile-interval" env:"RECONCILE_INTERVAL" type:"setting" default:"0s" placeholder:"DURATION" help:"How often customers whose user is gone are looked for and reported, 1h to 720h, by one server at a time. 0s is never."`
}

// Bounds of RECONCILE_INTERVAL.
const (
	minReconcileInterval = time.Hour
	maxReconcileInterval = 720 * time.Hour
)

// Confirm says whether deletions are confirmed where credentials are set.
func (d *Directory) Confirm() bool { return d.ConfirmChoice == nil || *d.ConfirmChoice }

// Load implements Section.
func (d *Directory) Load(l *Loader) {
	interval := d.ReconcileInterval
	l.Require(interval == 0 || interval >= minReconcileInterval && interval <= maxReconcileInterval,
		"RECONCILE_INTERVAL", "must be 0s (never), or lie between 1h and 720h")
}
