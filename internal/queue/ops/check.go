package ops

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/polar"
)

// Checks find out what speaks against deletions that an operator requests.
type Checks struct {
	// Sources can be asked whether a user still exists, by provider.
	Sources map[string]directory.Source
	// Providers are all that there are, Enabled those that have a route.
	Providers, Enabled []string
	// SharesIDs says whether a provider's user ids are Polar's external ids.
	SharesIDs func(provider string) bool
	// Pattern is what external ids match; nil matches all.
	Pattern *regexp.Regexp
	// They tell people how to name the provider and the user, and how to insist.
	SayProvider, SayUserID, SayAlthough string
}

// Candidate is a deletion that may be requested.
type Candidate struct {
	Request

	Refused string // why it must not, "" if it may
}

// Provider says whose user it was: as named, else the only provider that can be asked,
// or the only one that is enabled.
func (c *Checks) Provider(named string) (string, error) {
	if named != "" {
		if !slices.Contains(c.Providers, named) {
			return "", refused(0, "there is no provider %q: choose one of %s", named, strings.Join(c.Providers, ", "))
		}
		return named, nil
	}
	askable := map[string]bool{}
	for _, source := range c.Sources {
		askable[source.Provider] = true
	}
	names := slices.Sorted(maps.Keys(askable))
	if len(names) == 0 {
		names = c.Enabled
	}
	if len(names) != 1 {
		return "", refused(0, "say whose user it was: %s (the settings name %s)", c.SayProvider, cmp.Or(strings.Join(names, ", "), "none"))
	}
	return names[0], nil
}

// Check asks the provider, where it can be asked, and the settings about the requests,
// which are all of that provider.
func (c *Checks) Check(ctx context.Context, provider string, requests []Request) ([]Candidate, error) {
	source, canAsk := c.Sources[provider]
	candidates := make([]Candidate, len(requests))
	for i, r := range requests {
		switch {
		case r.UserID != "" || !canAsk:
		case source.Organizations != nil && source.Organizations.OwnsID(r.ExternalID):
			r.Object = deletion.ObjectOrganization
		case c.SharesIDs(provider) && source.OwnsID(r.ExternalID):
			r.UserID = r.ExternalID
		}
		candidates[i].Request = r
		if c.Pattern != nil && !c.Pattern.MatchString(r.ExternalID) {
			candidates[i].Refused = "it does not match EXTERNAL_ID_PATTERN"
		} else if err := polar.CheckExternalID(r.ExternalID); err != nil {
			candidates[i].Refused = err.Error() + "; delete the customer in Polar's dashboard"
		}
	}
	if !canAsk { // a server may be able to
		return candidates, nil
	}
	return candidates, c.ask(ctx, source, provider, candidates)
}

// ask has the provider say which of the users, and organizations, still exist.
func (c *Checks) ask(ctx context.Context, source directory.Source, provider string, candidates []Candidate) error {
	var userIDs, organizations []string
	for i := range candidates {
		switch one := &candidates[i]; {
		case one.Refused != "":
		case one.Object == deletion.ObjectOrganization:
			organizations = append(organizations, one.ExternalID)
		case one.UserID != "" && source.OwnsID(one.UserID):
			userIDs = append(userIDs, one.UserID)
		case one.UserID != "":
			one.Refused = "the user's id has another form than the ids of " + provider
		case one.AlthoughUserExists:
		default:
			one.Refused = fmt.Sprintf("%s cannot be asked whether the user still exists, because the external id is none of its ids: %s, or %s", provider, c.SayUserID, c.SayAlthough)
		}
	}
	existing, err := existing(ctx, source, userIDs, organizations)
	if err != nil {
		return fmt.Errorf("ask %s whether the user still exists: %w; nothing was done", provider, err)
	}
	for i := range candidates {
		switch one := &candidates[i]; {
		case one.Refused != "", one.UserID == "" && one.Object != deletion.ObjectOrganization: // nobody was asked about
		case !existing[cmp.Or(one.UserID, one.ExternalID)]:
			one.AlthoughUserExists = false // there is nothing to insist on
		case !one.AlthoughUserExists:
			one.Refused = fmt.Sprintf("the %[1]s still exists at %[2]s: delete the %[1]s there, or %[3]s", cmp.Or(one.Object, deletion.ObjectUser), provider, c.SayAlthough)
		}
	}
	return nil
}

// existing says which of the users and organizations exist. Of several users, those that are missing are asked
// about once more by the servers, each alone.
func existing(ctx context.Context, source directory.Source, userIDs, organizations []string) (map[string]bool, error) {
	all := map[string]bool{}
	for _, id := range organizations {
		answer, err := source.Organizations.IsDeleted(ctx, id)
		if err != nil {
			return nil, err
		}
		all[id] = !answer.Deleted
	}
	if len(userIDs) == 1 {
		answer, err := source.IsDeleted(ctx, userIDs[0])
		all[userIDs[0]] = !answer.Deleted
		return all, err
	}
	for some := range slices.Chunk(userIDs, source.MaxIDs) {
		found, err := source.Existing(ctx, some)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, found)
	}
	return all, nil
}

// Polar looks customers up.
type Polar interface {
	GetCustomer(ctx context.Context, externalID string) (polar.Customer, polar.Answer, error)
	GetState(ctx context.Context, externalID string) (polar.State, polar.Answer, error)
}

// AtPolar says what Polar has of that external id, and nothing that says who it is.
func AtPolar(ctx context.Context, client Polar, limiter deletion.Limiter, externalID string) string {
	const requests = 2
	permit, decision := limiter.Acquire(ctx, requests)
	if decision != nil {
		return "Polar cannot be asked now what it has"
	}
	customer, answer, _ := client.GetCustomer(ctx, externalID) // the answer says what there is to say
	switch answer.Result {
	case polar.ResultNotFound:
		return "Polar has no customer with that external id"
	case polar.ResultRateLimited:
		_ = permit.Report(ctx, deletion.Wait{Reason: deletion.WaitRateLimited, For: answer.RetryAfter, Everybody: true}) // the servers find out as well
		return "Polar asks to wait and does not say what it has"
	case polar.ResultFound:
	case polar.ResultDeleted, polar.ResultUnauthorized, polar.ResultRejected, polar.ResultServerError, polar.ResultNetworkError, polar.ResultForbidden, polar.ResultUnexpected:
		return fmt.Sprintf("Polar does not say what it has (status %d)", answer.StatusCode)
	}
	subscriptions := "an unknown number of active subscriptions"
	if state, answer, _ := client.GetState(ctx, externalID); answer.Result == polar.ResultFound {
		subscriptions = Plural(state.ActiveSubscriptions, "active subscription")
	}
	return fmt.Sprintf("Polar has a customer (%s, created %s, %s), who will be deleted for good", Visible(customer.Type), customer.CreatedAt.UTC().Format(time.DateTime), subscriptions)
}
