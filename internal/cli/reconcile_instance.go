package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
)

// Users of another instance or tenant whose customers lie in the same
// organization at Polar look exactly like those who are gone: the provider that
// is asked knows neither. Nobody but the operator can know that there is none.

// word wants the operator's before anything is read, where it cannot be asked for
// later.
func (c *reconcileCommand) word(env *Env) error {
	switch named := c.providers.Clerk().Instances(); {
	case !c.Apply:
		return nil
	case c.Provider == "clerk" && len(named) > 1:
		return fmt.Errorf("--apply needs to ask every instance whose users are customers, and CLERK_INSTANCE_ID names %d, of which CLERK_SECRET_KEY can ask one: living users of the others would be taken for gone", len(named))
	case !c.SoleInstance && env.Stdin == nil:
		return usage("--apply needs your word that no other instance or tenant of %s has users who are customers in this Polar organization, "+
			"because its living users look like those who are gone: add --sole-instance, because there is no terminal to ask on", c.Provider)
	}
	return nil
}

// ask wants the operator's word once it is known what it is about.
func (c *reconcileCommand) ask(env *Env, orphans int, told told) error {
	if orphans == 0 {
		return nil
	}
	if told.mixed {
		return errors.New("nothing was done: the credentials changed to another instance's while customers were compared; start over with --restart")
	}
	only := map[string][]string{"clerk": c.providers.Clerk().Instances(), "auth0": c.providers.Auth0().Streams()}[c.Provider]
	if others := strings.Join(slices.Sorted(maps.Keys(told.others)), ", "); others != "" && len(only) == 0 {
		return fmt.Errorf("nothing was done: webhooks of another instance than the one that was asked have come here (%s), and its living users would be taken for gone. "+
			"If none of them is a customer any more, set CLERK_INSTANCE_ID (or AUTH0_STREAM_ID) to what is yours", visible(others))
	}
	return env.confirm(c.SoleInstance, fmt.Sprintf("Put %s into the queue? A living user of another instance or tenant of %s looks like one who is gone. "+
		"Is the one that was asked the only one whose users are customers in this Polar organization", plural(orphans, "deletion"), c.Provider))
}

// told is what webhooks have told this installation, as far as it still knows.
type told struct {
	// named counts the orphans that a webhook of the instance has named.
	named int
	// others are other instances that deletions have come from.
	others map[string]bool
	// mixed says that the orphans are several instances' word.
	mixed bool
}

// recall looks what webhooks have told about the orphans.
func (c *reconcileCommand) recall(ctx context.Context, s *session, found *reconcile.Found) (told, error) {
	if found.Orphans == 0 {
		return told{}, nil
	}
	orphans, asked := map[string]bool{}, map[string]bool{"": true}
	err := found.Each(ctx, func(o reconcile.Orphan) error {
		orphans[o.ExternalID] = true
		asked[o.Instance] = true
		return nil
	})
	if err != nil {
		return told{}, err
	}
	all := told{others: map[string]bool{}, mixed: len(asked) > 1+1}
	for r, err := range s.List(ctx, ops.Filter{}) {
		if err != nil {
			return told{}, fmt.Errorf("look at the deletions that are known: %w", err)
		}
		if r.Provider != c.Provider && r.Provider != c.Provider+"-logs" || (event.Deletion{EventID: r.EventID}).Reconciled() {
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
