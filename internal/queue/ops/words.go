package ops

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// Visible returns text as it is when it can be seen as it is, else quoted.
func Visible(text string) string {
	if quoted := strconv.Quote(text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}

// Plural counts things.
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// LargestUnit is a duration in the largest unit of which there are two, or in seconds.
func LargestUnit(d time.Duration) (n int, unit string) {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return int(d / day), "day"
	case d >= 2*time.Hour:
		return int(d / time.Hour), "hour"
	case d >= 2*time.Minute:
		return int(d / time.Minute), "minute"
	}
	return int(d / time.Second), "second"
}

// Past is a verb in the past tense.
func Past(verb deletion.Verb) string {
	return map[deletion.Verb]string{
		deletion.VerbApprove: "approved", deletion.VerbRetry: "retried", deletion.VerbCancel: "cancelled",
		deletion.VerbRedo: "redone", deletion.VerbAcknowledge: "acknowledged",
	}[verb]
}

// Who is whom a deletion is about, with whatever is odd in the id made visible.
func Who(r queue.Record) string {
	switch {
	case r.Forgotten:
		return "(forgotten)"
	case r.UnusableID != "":
		return "unusable: " + Visible(r.UnusableID)
	}
	return Visible(r.ExternalID)
}

// Verified is what a lookup after the deletion came to.
func Verified(r queue.Record) string {
	return map[deletion.Verification]string{
		deletion.VerificationGone:               "nobody was found",
		deletion.VerificationFound:              "a customer was found again",
		deletion.VerificationSubscriptionActive: "nobody was found, but a subscription was still active",
		deletion.VerificationError:              "Polar could not be asked",
		deletion.VerificationPending:            "pending",
	}[r.Verification]
}

// Losses is what all of them would end, where it was recorded: the end of a sentence.
func Losses(all []Chosen) string {
	var subscriptions, benefits, unknown int
	for _, one := range all {
		subscriptions += one.Loss.ActiveSubscriptions
		benefits += one.Loss.GrantedBenefits
		if !one.LossKnown {
			unknown++
		}
	}
	if unknown == len(all) {
		return ""
	}
	text := fmt.Sprintf(", and with them %s and %s", Plural(subscriptions, "active subscription"), Plural(benefits, "benefit"))
	if unknown > 0 {
		text += fmt.Sprintf(" (not known for %d)", unknown)
	}
	return text
}

// LeftAloneBy says because of which other deletion of the customer a request was left
// alone, "" when it was not.
func (r Requested) LeftAloneBy() string {
	if r.LeftAlone.State == "" {
		return ""
	}
	text := fmt.Sprintf("deletion %d of the same customer is %s", r.ID, r.LeftAlone.State)
	if r.LeftAlone.Reason != "" {
		text += " as " + string(r.LeftAlone.Reason)
	}
	return text
}

// Searched is what the search for a customer without the external id came to, "" when
// nobody searched.
func Searched(r queue.Record) string {
	const one = "one customer without the external id has the user's id in the metadata of "
	switch r.MetadataSearch {
	case deletion.SearchNobody:
		return "nobody was found"
	case deletion.SearchCustomers:
		return one + "the customer"
	case deletion.SearchSubscriptions:
		return one + "a subscription"
	case deletion.SearchOrders:
		return one + "an order"
	case deletion.SearchAmbiguous:
		return "several customers, or more than Polar lists at once, have the user's id in metadata: " + Visible(strings.Join(r.MetadataCustomers, ", "))
	case deletion.SearchFilterIgnored:
		return "Polar ignored the filter: nobody was found"
	case deletion.SearchUnsearchable:
		return "nobody was found, and not everything could be searched"
	}
	return ""
}
