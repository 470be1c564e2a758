package directory

import (
	"context"
	"slices"
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// InstanceStore remembers which instance of a provider was asked so far.
type InstanceStore interface {
	// Instance returns it, "" for none.
	Instance(ctx context.Context, provider string) (string, error)
	// FirstInstance remembers one unless there is one, and returns the one there is.
	FirstInstance(ctx context.Context, provider, asked string) (string, error)
	// SetInstance remembers one in place of any other.
	SetInstance(ctx context.Context, provider, accepted string) error
}

// PinnedInstanceOptions for NewPinnedInstance.
type PinnedInstanceOptions struct {
	Store InstanceStore
	// Provider is the route's name of the provider.
	Provider string
	// Named are those that the operator's settings name; when there are none,
	// the first one that was asked is the one.
	Named []string
}

// PinnedInstance is Instances. It may be used by many goroutines.
type PinnedInstance struct{ options PinnedInstanceOptions }

// NewPinnedInstance returns the register. It looks at nothing yet.
func NewPinnedInstance(o PinnedInstanceOptions) *PinnedInstance { return &PinnedInstance{options: o} }

// Allow implements Instances. What it allows is remembered. Errors:
// fault.Unavailable with ReasonOtherInstance, as a sentence for
// people, or with fault.ReasonDatabase.
func (r *PinnedInstance) Allow(ctx context.Context, asked string) error {
	store, provider := r.options.Store, r.options.Provider
	known, err := store.Instance(ctx, provider)
	if err == nil && known == "" && len(r.options.Named) == 0 {
		known, err = store.FirstInstance(ctx, provider, asked)
	}
	if err != nil {
		return fault.New(fault.Unavailable, fault.ReasonDatabase, "%w", err)
	}
	if err := CheckInstance(asked, known, r.options.Named); err != nil {
		return fault.New(fault.Unavailable, ReasonOtherInstance, "%w; polar-bridge doctor says what to do", err)
	}
	if asked == known {
		return nil
	}
	if err := store.SetInstance(ctx, provider, asked); err != nil {
		return fault.New(fault.Unavailable, fault.ReasonDatabase, "%w", err)
	}
	return nil
}

// CheckInstance says why an instance may not be asked, nil if it may: named are those
// that the operator's settings name, known is the one that was asked so far, ""
// for none. A setting is the operator's word, and counts for more than what was
// so far.
func CheckInstance(asked, known string, named []string) error {
	switch {
	case len(named) > 0 && !slices.Contains(named, asked):
		return fault.New(fault.Unavailable, ReasonOtherInstance,
			"the credentials belong to %q, another instance than the settings name (%s)", asked, strings.Join(named, ", "))
	case len(named) == 0 && known != "" && known != asked:
		return fault.New(fault.Unavailable, ReasonOtherInstance,
			"the credentials belong to %q, and so far %q was asked, whose users it does not know", asked, known)
	}
	return nil
}
