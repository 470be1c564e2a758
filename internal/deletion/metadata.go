package deletion

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/polar"
)

// Search is what a search by metadata for a customer without the external id came to.
// The set is closed.
type Search string

// What a search comes to; "" is that nobody searched.
const (
	SearchNobody Search = "nobody"
	// One customer, by their own metadata or by those of what belongs to them.
	SearchCustomers     = Search(polar.ResourceCustomers)
	SearchSubscriptions = Search(polar.ResourceSubscriptions)
	SearchOrders        = Search(polar.ResourceOrders)

	SearchAmbiguous     Search = "ambiguous"      // several customers, or more than Polar lists at once
	SearchFilterIgnored Search = "filter_ignored" // Polar returned what was not asked for
	SearchUnsearchable  Search = "unsearchable"   // nobody in what the token may see, or what Polar answered
)

// Searches lists every Search.
func Searches() []Search {
	return []Search{SearchNobody, SearchCustomers, SearchSubscriptions, SearchOrders, SearchAmbiguous, SearchFilterIgnored, SearchUnsearchable}
}

// maxCandidates bounds how many of several customers are kept.
const maxCandidates = 10

// carriers are the customers whose metadata names the user.
type carriers struct {
	customers []Customer
	more      bool // there are others, unread
	ignored   bool // Polar has ignored the filter, so there may be others
	// givenUp says that Polar fails to search, and that an operator does not want to
	// wait for it.
	givenUp bool
}

// one reports whether there is exactly one, and nobody else can be.
func (c carriers) one() bool { return len(c.customers) == 1 && !c.more }

// search looks whether a customer without the external id carries it in the metadata,
// and holds the deletion then: anybody can write metadata at a checkout, and Polar
// gives them to whoever has the e-mail that was typed. Otherwise it decides as told.
// Polar has just answered.
func (d *Deleter) search(ctx context.Context, a Attempt, seen *Observed, otherwise Decision) Decision {
	if d.options.MetadataKey == "" {
		return otherwise
	}
	seen.works = true
	found, decision := d.carriers(ctx, a, seen)
	if decision == nil {
		decision = d.holdFound(ctx, found, seen)
	}
	return cmp.Or(decision, otherwise)
}

// carriers makes the requests of a search. Before a deletion they have permits; after
// one they are counted.
func (d *Deleter) carriers(ctx context.Context, a Attempt, seen *Observed) (found carriers, decision Decision) {
	seen.Search = SearchNobody
	for _, of := range polar.Resources() {
		if seen.works {
			if err := d.options.Limiter.Charge(ctx); err != nil {
				return found, d.notCharged(ctx, err)
			}
		}
		matches, answer, err := d.options.Polar.FindByMetadata(ctx, of, d.options.MetadataKey, a.ExternalID)
		switch {
		case answer.LacksScope():
			seen.unsearchable()
			continue
		case answer.Result != polar.ResultFound:
			found.givenUp, decision = d.searchFailed(ctx, a, seen, answer, err)
			if decision != nil || found.givenUp {
				return found, decision
			}
		}
		seen.answered = true
		if matches.FilterIgnored {
			d.options.Metrics.Searched(SearchFilterIgnored)
			d.options.Logger.Error("Polar ignores the filter by metadata: the search is stopped", zap.String("of", string(of)))
			if len(found.customers) == 0 {
				seen.Search = SearchFilterIgnored
			}
			found.ignored = true
			return found, nil
		}
		found.more = found.more || matches.More
		for _, c := range matches.Customers {
			if d.isCandidate(a, c) && !slices.ContainsFunc(found.customers, func(known Customer) bool { return known.ID == c.ID }) {
				found.customers = append(found.customers, c.Customer)
				seen.Search = Search(of)
			}
		}
	}
	if len(found.customers) > 1 || found.more {
		seen.Search = SearchAmbiguous
	}
	d.options.Metrics.Searched(seen.Search)
	return found, nil
}

// unsearchable notes that not everything could be searched, unless somebody was found.
func (o *Observed) unsearchable() {
	if o.Search == SearchNobody {
		o.Search = SearchUnsearchable
	}
}

// isCandidate reports whether the customer may be the user's: one of this organization's,
// and nobody else's by their external id.
func (d *Deleter) isCandidate(a Attempt, c polar.ListedCustomer) bool {
	return (c.ExternalID == "" || c.ExternalID == a.ExternalID) && (d.options.Owns == nil || d.options.Owns(c.OrganizationID))
}

// searchFailed decides on a search that got no answer, as on a lookup that fails:
// nobody else has to wait for it, and an operator may go on without. Where it is not
// known that Polar works, a probe tells.
func (d *Deleter) searchFailed(ctx context.Context, a Attempt, seen *Observed, answer polar.Answer, err error) (givenUp bool, decision Decision) {
	seen.see(answer)
	stopping := errors.Is(ctx.Err(), context.Canceled)
	if stopping || answer.Result == polar.ResultRateLimited || answer.Result == polar.ResultUnauthorized {
		return false, retryOrPause(ctx, answer, err)
	}
	if a.goesOnUnsearched() {
		seen.unsearchable()
		d.options.Metrics.Searched(seen.Search)
		return true, nil
	}
	if !seen.works {
		if decision := d.probe(ctx); decision != nil {
			return false, decision
		}
	}
	seen.answered = true
	return false, Retry{Reason: RetryLookup, Err: fmt.Errorf("search by metadata: %w", cmp.Or(err, refusal(answer)))}
}

// goesOnUnsearched reports whether an operator does not want to wait for the search: of
// a customer who was found, only where that was said of exactly that customer.
func (a *Attempt) goesOnUnsearched() bool {
	id := a.approvedCustomer()
	return id == "" && a.Approves(HoldExhausted, "") || id != "" && slices.Contains(a.Approved, Approval{HoldExhausted, id})
}

// holdFound holds the deletion for whom the search found, nil for nobody.
func (d *Deleter) holdFound(ctx context.Context, found carriers, seen *Observed) Decision {
	switch {
	case found.one():
		seen.Customer, seen.Loss = found.customers[0], d.lossOf(ctx, found.customers[0].ID)
		return Hold{Reason: HoldFoundByMetadata, Err: fmt.Errorf("one customer carries the id in the metadata of %s, which anybody may have written", seen.Search)}
	case len(found.customers) == 0 && !found.more:
		return nil
	}
	for _, c := range found.customers[:min(len(found.customers), maxCandidates)] {
		seen.Candidates = append(seen.Candidates, c.ID)
	}
	return Hold{Reason: HoldAmbiguousMetadata, Err: errors.New("several customers carry the id in metadata, or in more of them than Polar lists at once")}
}

// lossOf asks what the deletion of the customer would end, nil when Polar does not tell.
func (d *Deleter) lossOf(ctx context.Context, id string) *Loss {
	asking, cancel := context.WithTimeout(ctx, lossTimeout)
	defer cancel()
	if d.options.Limiter.Charge(asking) != nil {
		return nil
	}
	if state, answer, _ := d.options.Polar.GetStateByID(asking, id); answer.Result == polar.ResultFound {
		return &state
	}
	return nil
}

// lookupFound looks again, right before the deletion, at the customer whom an operator
// has approved. In doubt it is held again. Once they are gone without our doing, the
// approval ends, and whoever has the external id by now is looked up.
func (d *Deleter) lookupFound(ctx context.Context, a *Attempt, seen *Observed) (lookup, Decision) {
	if d.options.MetadataKey == "" {
		return lookup{}, Hold{Reason: HoldFoundByMetadata, Err: errors.New("POLAR_METADATA_KEY is not set any more, so nobody can look at the customer again")}
	}
	looking, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	id := a.approvedCustomer()
	found, decision := d.carriers(looking, *a, seen)
	switch {
	case decision != nil || found.givenUp:
		return lookup{}, decision
	case found.one() && found.customers[0].ID == id && !found.ignored:
		seen.Customer = found.customers[0]
		return lookup{SawCustomer, found.customers[0]}, nil
	}
	if hold := d.holdFound(looking, found, seen); hold != nil {
		return lookup{}, hold
	}
	if err := d.options.Limiter.Charge(looking); err != nil {
		return lookup{}, d.notCharged(looking, err)
	}
	gone, answer, err := d.findByID(looking, Customer{ID: id})
	if gone.saw == SawNobody {
		seen.Search = "" // what is known of them is what found them before
		return d.lookupGone(looking, a, gone, seen)
	}
	givenUp := gone.saw == SawCustomer
	if !givenUp {
		givenUp, decision = d.searchFailed(looking, *a, seen, answer, err)
	}
	if givenUp {
		return lookup{}, Hold{Reason: HoldFoundByMetadata, Err: errors.New("the search does not find the id in the metadata of the customer any more")}
	}
	return lookup{}, decision
}

// lookupGone goes on without the customer who was approved: they are gone.
func (d *Deleter) lookupGone(ctx context.Context, a *Attempt, gone lookup, seen *Observed) (lookup, Decision) {
	if a.AnswerLost && a.LostSaw == SawFound { // the DELETE tells whether it was us
		return gone, nil
	}
	a.Approved = slices.DeleteFunc(slices.Clone(a.Approved), func(given Approval) bool { return given.Reason == HoldFoundByMetadata })
	if d.options.LookBeforeDelete {
		if err := d.options.Limiter.Charge(ctx); err != nil {
			return lookup{}, d.notCharged(ctx, err)
		}
	}
	return d.lookup(ctx, a, seen)
}

// findByID looks whether the customer with that id of Polar's own is there.
func (d *Deleter) findByID(ctx context.Context, c Customer) (lookup, polar.Answer, error) {
	_, answer, err := d.options.Polar.GetStateByID(ctx, c.ID)
	switch answer.Result {
	case polar.ResultFound:
		return lookup{SawCustomer, c}, answer, err
	case polar.ResultNotFound:
		return lookup{saw: SawNobody}, answer, err
	case polar.ResultDeleted, polar.ResultRateLimited, polar.ResultUnauthorized, polar.ResultForbidden, polar.ResultRejected,
		polar.ResultServerError, polar.ResultNetworkError, polar.ResultUnexpected:
	}
	return lookup{}, answer, err
}
