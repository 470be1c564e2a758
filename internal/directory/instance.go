package directory

import (
	"context"
	"slices"
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
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

// PinnedInstance says which instance of an identity provider (at Auth0: which
// tenant) an installation may ask. Another one knows none of its users, and would
// have all of them deleted: a key that was mixed up must not be believed before
// somebody has said that the change is meant. It may be used by many goroutines;
// nil allows any instance.
type PinnedInstance struct {
	Store    InstanceStore
	Provider string // the route's name of the provider
	// Named are those that the operator's settings name; when there are none,
	// the first one that was asked is the one.
	Named []string
}

// Allow returns nil when users who are unknown to the instance count as deleted,
// and remembers it. Errors are *Error, whose reason
// is deletion.RetryDirectoryOtherInstance or RetryDatabase.
func (p *PinnedInstance) Allow(ctx context.Context, asked string) error {
	if p == nil {
		return nil
	}
	known, err := p.Store.Instance(ctx, p.Provider)
	if err == nil && known == "" && len(p.Named) == 0 {
		known, err = p.Store.FirstInstance(ctx, p.Provider, asked)
	}
	if err != nil {
		return unanswered(deletion.RetryDatabase, "read the pinned instance: %w", err)
	}
	if err := CheckInstance(asked, known, p.Named); err != nil {
		return unanswered(deletion.RetryDirectoryOtherInstance, "%w; polar-bridge doctor says what to do", err)
	}
	if asked == known {
		return nil
	}
	if err := p.Store.SetInstance(ctx, p.Provider, asked); err != nil {
		return unanswered(deletion.RetryDatabase, "pin the instance: %w", err)
	}
	return nil
}

// CheckInstance says why an instance may not be asked, nil if it may: named are
// those that the operator's settings name, known is the one that was asked so
// far, "" for none. Settings are the operator's word, and outweigh what was asked
// so far.
func CheckInstance(asked, known string, named []string) error {
	switch {
	case len(named) > 0 && !slices.Contains(named, asked):
		return unanswered(deletion.RetryDirectoryOtherInstance,
			"the credentials belong to %q, another instance than the settings name (%s)", asked, strings.Join(named, ", "))
	case len(named) == 0 && known != "" && known != asked:
		return unanswered(deletion.RetryDirectoryOtherInstance,
			"the credentials belong to %q, and so far %q was asked, whose users it does not know", asked, known)
	}
	return nil
}
