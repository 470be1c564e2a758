package deletion

import "errors"

// team holds the deletion of a team: its customer is the buyer's, and deleting
// it ends the subscription of all members. A type that is not known here counts
// as a team; none at all is what Polar said before there were teams. Of a deleted
// organization nobody is left whose subscription that would be.
func (d *Deleter) team(a Attempt, found lookup) Decision {
	individual := found.customer.Type == "individual" || found.customer.Type == ""
	if !d.options.HoldTeam || a.Object == ObjectOrganization || found.saw != SawCustomer || individual || a.Approves(HoldTeam, found.customer.ID) {
		return nil
	}
	return Hold{Reason: HoldTeam, Err: errors.New("the customer is not an individual: others would lose their subscription too")}
}
