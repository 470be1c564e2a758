// Package instance says which instance of an identity provider (at Auth0: which
// tenant) an installation may ask about its users. Another one knows none of
// them, and would have all of them deleted: a key that was mixed up must not be
// believed before somebody has said that the change is meant.
//
// It must not know how a provider is asked, nor what is done with its answers.
package instance

import (
	"context"
	"slices"
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// Store remembers which instance of a provider was asked so far.
type Store interface {
	// Instance returns it, "" for none.
	Instance(ctx context.Context, provider string) (string, error)
	// FirstInstance remembers one unless there is one, and returns the one there is.
	FirstInstance(ctx context.Context, provider, asked string) (string, error)
	// SetInstance remembers one in place of any other.
	SetInstance(ctx context.Context, provider, accepted string) error
}

// Options for New.
type Options struct {
	Store Store
	// Provider is the route's name of the provider.
	Provider string
	// Named are those that the operator's settings name; when there are none,
	// the first one that was asked is the one.
	Named []string
}

// Register is directory.Instances. It may be used by many goroutines.
type Register struct{ options Options }

// New returns the register. It looks at nothing yet.
func New(o Options) *Register { return &Register{options: o} }

// Allow implements directory.Instances. What it allows is remembered. Errors:
// fault.Unavailable with directory.ReasonOtherInstance, as a sentence for
// people, or with fault.ReasonDatabase.
func (r *Register) Allow(ctx context.Context, asked string) error {
	store, provider := r.options.Store, r.options.Provider
	known, err := store.Instance(ctx, provider)
	if err == nil && known == "" && len(r.options.Named) == 0 {
		known, err = store.FirstInstance(ctx, provider, asked)
	}
	if err != nil {
		return fault.New(fault.Unavailable, fault.ReasonDatabase, "%w", err)
	}
	if err := Judge(asked, known, r.options.Named); err != nil {
		return fault.New(fault.Unavailable, directory.ReasonOtherInstance, "%w; polar-bridge doctor says what to do", err)
	}
	if asked == known {
		return nil
	}
	if err := store.SetInstance(ctx, provider, asked); err != nil {
		return fault.New(fault.Unavailable, fault.ReasonDatabase, "%w", err)
	}
	return nil
}

// Judge says why an instance may not be asked, nil if it may: named are those
// that the operator's settings name, known is the one that was asked so far, ""
// for none. A setting is the operator's word, and counts for more than what was
// so far.
func Judge(asked, known string, named []string) error {
	switch {
	case len(named) > 0 && !slices.Contains(named, asked):
		return fault.New(fault.Unavailable, directory.ReasonOtherInstance,
			"the credentials belong to %q, another instance than the settings name (%s)", asked, strings.Join(named, ", "))
	case len(named) == 0 && known != "" && known != asked:
		return fault.New(fault.Unavailable, directory.ReasonOtherInstance,
			"the credentials belong to %q, and so far %q was asked, whose users it does not know", asked, known)
	}
	return nil
}
