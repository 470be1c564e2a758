package config

import "time"

// Guards say what stands between an event and the DELETE.
type Guards struct {
	// LookBeforeDelete looks the customer up first; the next four need it.
	LookBeforeDelete bool `name:"look-before-delete" env:"LOOK_BEFORE_DELETE" type:"setting" default:"true" negatable:"" help:"Look the customer up before deleting it."`
	// RecordLoss counts what the deletion ends.
	RecordLoss bool `name:"record-loss" env:"RECORD_LOSS" type:"setting" default:"false" negatable:"" help:"Keep with each deletion how many active subscriptions and granted benefits the customer had. One more request to Polar for each."`
	// HoldTeam holds the deletion of a team.
	HoldTeam bool `name:"hold-team" env:"HOLD_TEAM" type:"setting" default:"true" negatable:"" help:"Hold the deletion of a team's customer, which would end the whole team's subscription."`
	// HoldRecreated holds the deletion of a customer younger than the event.
	HoldRecreated bool `name:"hold-recreated" env:"HOLD_RECREATED" type:"setting" default:"true" negatable:"" help:"Hold the deletion of a customer that was created after the user was deleted."`
	// WhenBlind is what becomes of deletions while Polar cannot be looked at:
	// GuardsContinue or GuardsHold.
	WhenBlind string `name:"guards-blind" env:"GUARDS_BLIND" type:"setting" default:"continue" placeholder:"WHAT" help:"What becomes of a deletion while Polar does not let customers be looked up: continue without the guards HOLD_TEAM and HOLD_RECREATED, or hold it."`
	// MaxDeletionsPerHour is over all replicas, 0 for no limit.
	MaxDeletionsPerHour int `name:"max-deletions-per-hour" env:"MAX_DELETIONS_PER_HOUR" type:"setting" default:"100" placeholder:"N" help:"Hold deletions of customers beyond so many within an hour, over all replicas together. 0 is no limit."`
	// GracePeriod is how long a deletion waits before it is tried.
	GracePeriod time.Duration `name:"grace-period" env:"GRACE_PERIOD" type:"setting" default:"0s" placeholder:"DURATION" help:"How long a deletion waits, and can be cancelled, before it is tried, at most 720h."`
	// VerifyAfter is when a deleted customer is looked for again, 0 for never.
	VerifyAfter time.Duration `name:"verify-after" env:"VERIFY_AFTER" type:"setting" default:"1h" placeholder:"DURATION" help:"How long after a deletion Polar is asked whether the customer stayed away, at most 72h. 0s is never."`
}

// The values of WhenBlind.
const (
	GuardsContinue = "continue"
	GuardsHold     = "hold"
)

const (
	maxGracePeriod = 720 * time.Hour
	// maxVerifyAfter is the shortest retention: the deletion's record must
	// still be there to say that it was verified.
	maxVerifyAfter = minRetention
)

// Load implements Section.
func (g *Guards) Load(l *Loader) {
	l.RequireOneOf("GUARDS_BLIND", g.WhenBlind, GuardsContinue, GuardsHold)
	l.RequireValue(g.MaxDeletionsPerHour >= 0, "MAX_DELETIONS_PER_HOUR", "must be 0 (no limit) or more")
	l.RequireValue(g.GracePeriod >= 0 && g.GracePeriod <= maxGracePeriod, "GRACE_PERIOD", "must lie between 0s and 720h")
	l.RequireValue(g.VerifyAfter >= 0 && g.VerifyAfter <= maxVerifyAfter, "VERIFY_AFTER", "must lie between 0s (never) and 72h")
}

// Blind returns the names of the guards that are on but see nothing, because
// nobody looks before deleting.
func (g *Guards) Blind() []string {
	var names []string
	if g.LookBeforeDelete {
		return nil
	}
	if g.RecordLoss {
		names = append(names, "RECORD_LOSS")
	}
	if g.HoldTeam {
		names = append(names, "HOLD_TEAM")
	}
	if g.HoldRecreated {
		names = append(names, "HOLD_RECREATED")
	}
	if g.MaxDeletionsPerHour > 0 {
		names = append(names, "MAX_DELETIONS_PER_HOUR")
	}
	return names
}
