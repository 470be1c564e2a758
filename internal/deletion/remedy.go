package deletion

// Verb is what operators do about deletions. The set is closed.
type Verb string

// The verbs.
const (
	VerbApprove     Verb = "approve"
	VerbRetry       Verb = "retry"
	VerbCancel      Verb = "cancel"
	VerbRedo        Verb = "redo"
	VerbAcknowledge Verb = "acknowledge"
)

// Effect is what a verb does to a deletion. The zero value refuses.
type Effect struct {
	Does    string // "" when it is refused
	Refused string // why, and what to do instead
}

// Remedy says what operators can do about the deletions that a human has to look
// at for one cause. Each of them may be cancelled, unless its customer reappeared.
type Remedy struct {
	State  State      // StateHeld or StateReappeared
	Reason HoldReason // of StateHeld
	// ByLookup says that HoldExhausted is due to a lookup that fails although Polar
	// works.
	ByLookup bool

	Approve, Retry, Acknowledge Effect
}

// Of is what the verb does.
func (r Remedy) Of(v Verb) Effect {
	switch v {
	case VerbApprove:
		return r.Approve
	case VerbRetry:
		return r.Retry
	case VerbAcknowledge:
		return r.Acknowledge
	case VerbCancel, VerbRedo:
	}
	return Effect{}
}

// Cause names the deletions that it is about.
func (r Remedy) Cause() string {
	switch {
	case r.State == StateReappeared:
		return string(StateReappeared)
	case r.ByLookup:
		return string(r.Reason) + " by the lookup"
	}
	return string(r.Reason)
}

// Remedies lists what can be done for each cause. It is the one place that says
// so: commands act by it, and their help and the runbook are made from it.
func Remedies() []Remedy {
	again := Effect{Does: "all guards again"}
	passes := Effect{Does: "passes that guard, for the customer it was given for"}
	byHand := Effect{Refused: "no request to Polar can name this customer; find and delete the customer in Polar's dashboard, then cancel the deletion with that as its reason"}
	held := func(reason HoldReason, approve, retry Effect) Remedy {
		return Remedy{
			State: StateHeld, Reason: reason, Approve: approve, Retry: retry,
			Acknowledge: Effect{Refused: "only deletions whose customer reappeared are acknowledged"},
		}
	}
	byLookup := held(HoldExhausted, Effect{Does: "goes on although the lookup fails"}, again)
	byLookup.ByLookup = true
	return []Remedy{
		held(HoldUnusableID, byHand, byHand),
		held(HoldUnaddressable, byHand, byHand),
		held(HoldRejected, Effect{Refused: "Polar refused the request itself, which no approval changes; read its answer with deletions show, then retry the deletion, " +
			"or delete the customer in Polar's dashboard and cancel it"}, again),
		held(HoldUnexpected, Effect{Refused: "Polar answered oddly to this one, or the customer could not be looked up, which no approval changes; retry the deletion"}, again),
		held(HoldExhausted, Effect{Refused: "every try has failed for seven days, which no approval changes; remove the cause, then retry the deletion"}, again),
		byLookup,
		held(HoldForbidden, Effect{Refused: "Polar, or a proxy in front of it, answered 403, which no approval changes; allow it there, then retry the deletion"}, again),
		held(HoldTeam, passes, again),
		held(HoldRecreated, passes, again),
		held(HoldMassDeletion, passes, again),
		held(HoldUserExists, passes, again),
		held(HoldOtherInstance, passes, again),
		held(HoldConflict, Effect{Does: "makes it an event of its own, with all guards"},
			Effect{Refused: "its event had named another user before, and no guard can find out which of them left; approve it if this user left, too, or cancel it"}),
		held(HoldFoundByMetadata, Effect{Does: "deletes exactly that customer, by Polar's id, if one more look finds the same"}, again),
		held(HoldAmbiguousMetadata, Effect{Refused: "several customers carry this id in their metadata, and nothing says whose it is; delete the right one in Polar's dashboard and cancel the deletion, " +
			"or give it the external id at Polar and retry the deletion"}, again),
		{
			State:       StateReappeared,
			Approve:     Effect{Refused: "approving would delete nobody; look at the subscription in Polar, then acknowledge it"},
			Retry:       Effect{Refused: "that is another case; settle it at Polar, then acknowledge this one"},
			Acknowledge: Effect{Does: "closes the case, deletes nobody"},
		},
	}
}

// RemedyFor is the one for a deletion in that state; the zero value, which refuses
// everything, when nobody has to look at it. byLookup is as in Remedy.
func RemedyFor(state State, reason HoldReason, byLookup bool) Remedy {
	for _, r := range Remedies() {
		if r.State == state && r.Reason == reason && r.ByLookup == byLookup {
			return r
		}
	}
	return Remedy{}
}
