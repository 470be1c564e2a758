package deletion

import (
	"context"
	"errors"

	"github.com/polar-bridge/polar-bridge/internal/event"
)

// typeIndividual is a customer who is one person.
const typeIndividual = "individual"

var errTeam = errors.New("the customer is not an individual: others would lose their subscription too")

// team holds the deletion of a team: its customer is the buyer's, and deleting
// it ends the subscription of all members. A type that is not known here counts
// as a team; none at all is what Polar said before there were teams.
func (d *Deleter) team(_ context.Context, a event.Attempt, seen sighting) error {
	individual := seen.customer.Type == typeIndividual || seen.customer.Type == ""
	if !d.options.HoldTeam || !seen.found() || individual || a.Approves(event.HoldTeam) {
		return nil
	}
	return held(event.HoldTeam, errTeam)
}
