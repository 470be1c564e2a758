// Package directory asks identity providers which users still exist.
//
// Webhooks get lost before they reach anybody, and a stolen webhook secret can
// forge them; the provider's own list of users knows better than both. Since
// somebody's "no" leads to a deletion that cannot be undone, nothing here ever
// infers one: an answer that is not a clear yes or no is an error.
//
// It must not know what is done with the answer, nor what Polar is.
package directory

import (
	"context"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// Directory is one identity provider's own list of users.
type Directory interface {
	// Existing returns those of the users that the provider lists. One question
	// may name many users, Source.MaxIDs at the most. A user that is missing
	// is no more than a suspect: lists lag and get cut; ask IsDeleted.
	Existing(ctx context.Context, userIDs []string) (map[string]bool, error)
	// IsDeleted says whether the provider states that the user does not exist, by
	// itself or as a part of another user.
	//
	// Errors: fault.Paused with the time after which to ask again, and
	// fault.Unavailable; the reasons are those below.
	IsDeleted(ctx context.Context, userID string) (Answer, error)
}

// Answer is what a provider says about one user.
type Answer struct {
	// Deleted says that it knows no such user.
	Deleted bool
	// Instance is whose word that is, as events name it: users of one instance
	// (at Auth0: tenant) are unknown to all others. It is "" when the provider
	// does not tell, and when the user is not gone.
	Instance string
}

// Instances says which instances of a provider may be asked.
type Instances interface {
	// Allow returns nil when users who are unknown to the instance count as
	// gone. Errors: fault.Unavailable.
	Allow(ctx context.Context, asked string) error
}

// Source is a Directory with what has to be known about its ids.
type Source struct {
	Directory

	// Provider is the route's name of the provider, for example "clerk".
	Provider string
	// MaxIDs is how many users one question to Existing may name.
	MaxIDs int
	// OwnsID says whether a text looks like an id of this provider. What
	// does not is never asked about and never deleted.
	OwnsID func(id string) bool
	// ReadLag is how long after a change IsDeleted may still answer as before it.
	ReadLag time.Duration
}

// Reasons why there is no clear answer. The set is closed.
const (
	ReasonRateLimited  = "directory_rate_limited" // the provider asks to wait
	ReasonUnauthorized = "directory_unauthorized" // the credentials or their scopes are no good
	ReasonUnavailable  = "directory_unavailable"  // no answer, or a server error
	ReasonInconclusive = "directory_inconclusive" // an answer that is neither yes nor no

	// ReasonOtherInstance says that the credentials belong to an instance which
	// nobody has said may be asked.
	ReasonOtherInstance = "directory_other_instance"
)

// inconclusive makes the error for an answer that is neither yes nor no.
func inconclusive(format string, args ...any) error {
	return fault.New(fault.Unavailable, ReasonInconclusive, format, args...)
}

// checkID refuses what would ask about something else than one user: an empty
// path segment, or one that proxies resolve.
func checkID(userID string) error {
	if userID == "" || userID == "." || userID == ".." {
		return inconclusive("an id that is empty or a path's dot segment cannot be asked about")
	}
	return nil
}
