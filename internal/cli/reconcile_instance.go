package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
)

// Users of another instance or tenant whose customers are in the same
// organization at Polar look exactly like deleted ones: the provider that is asked
// knows neither. Nobody but the operator can know that there is none.

// checkSoleInstance refuses --apply before anything is read, where the operator's
// word for it cannot be asked for later.
func (c *reconcileCommand) checkSoleInstance() error {
	named := c.providers.Clerk().Instances()
	if c.Provider == directory.ProviderClerk && len(named) > 1 {
		return fmt.Errorf("--apply needs to ask every instance whose users are customers, and CLERK_INSTANCE_ID names %d, of which CLERK_SECRET_KEY can ask one: existing users of the others would look deleted", len(named))
	}
	if !c.SoleInstance && c.env.Stdin == nil {
		return usage("--apply needs your word that no other instance or tenant of %s has users who are customers in this Polar organization, "+
			"because its existing users look like deleted ones. There is no terminal to ask on: add --sole-instance", c.Provider)
	}
	return nil
}

// confirmSoleInstance asks for the operator's word once it is known what it is
// about.
func (c *reconcileCommand) confirmSoleInstance(deletions int, known webhookEvidence) error {
	if known.mixed {
		return errors.New("nothing was done: the credentials changed to another instance's during the run; start over with --restart")
	}
	only := c.providers.Clerk().Instances()
	if c.Provider == directory.ProviderAuth0 {
		only = c.providers.Auth0().Streams()
	}
	if others := strings.Join(slices.Sorted(maps.Keys(known.others)), ", "); others != "" && len(only) == 0 {
		return fmt.Errorf("nothing was done: webhooks of another instance than the one that was asked have arrived here (%s), and its existing users would look deleted. "+
			"If none of them is a customer any more, set CLERK_INSTANCE_ID (or AUTH0_STREAM_ID) to what is yours", visible(others))
	}
	return c.env.confirm(c.SoleInstance, fmt.Sprintf("Put %s into the queue? An existing user of another instance or tenant of %s looks like a deleted one. "+
		"Is the one that was asked the only one whose users are customers in this Polar organization", plural(deletions, "deletion"), c.Provider))
}

// webhookEvidence is what webhooks have said, as far as this installation still
// knows.
type webhookEvidence struct {
	// named counts the orphans that a webhook of the instance has named.
	named int
	// others are other instances that deletions have come from.
	others map[string]bool
	// mixed says that several instances were asked about the orphans.
	mixed bool
}

// webhookEvidence reads what webhooks have said about the orphans.
func (c *reconcileCommand) webhookEvidence(ctx context.Context, s *session, queue reconcile.Queue, found *reconcile.Found) (webhookEvidence, error) {
	if found.Orphans == 0 {
		return webhookEvidence{}, nil
	}
	orphans, asked := map[string]bool{}, map[string]bool{"": true}
	err := found.Each(ctx, queue, func(o reconcile.Orphan) error {
		orphans[o.ExternalID] = true
		asked[o.Instance] = true
		return nil
	})
	if err != nil {
		return webhookEvidence{}, err
	}
	all := webhookEvidence{others: map[string]bool{}, mixed: len(asked) > 1+1}
	for r, err := range s.List(ctx, ops.Filter{}) {
		if err != nil {
			return webhookEvidence{}, fmt.Errorf("read the known deletions: %w", err)
		}
		if r.Provider != c.Provider && r.Provider != c.Provider+"-logs" || (deletion.Deletion{EventID: r.EventID}).Reconciled() || r.Source == deletion.SourceOperator {
			continue
		}
		switch {
		case len(asked) > 1 && !asked[r.Instance]:
			all.others[r.Instance] = true
		case orphans[r.ExternalID]:
			all.named++
			delete(orphans, r.ExternalID)
		}
	}
	return all, nil
}
