// Package directory asks identity providers whether a user still exists: one
// file per API, on one bounded client.
//
// Webhooks get lost before they reach anybody, and a stolen webhook secret can
// forge them; the provider's own list of users knows better than both. A user
// who does not exist leads to a deletion that cannot be undone, so nothing here
// ever infers that: a response that is not a clear yes or no is an error.
//
// It must not know Polar, nor how a deletion is kept or carried out.
package directory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// Directory is one identity provider's own list of users. Its methods' errors are *Error.
type Directory interface {
	// Existing returns those of the users that the provider lists, out of at
	// most Source.MaxIDs. A user that is missing is no more than a candidate:
	// lists lag and get cut; ask IsDeleted.
	Existing(ctx context.Context, userIDs []string) (map[string]bool, error)
	// IsDeleted says whether the provider states that the user does not exist,
	// by itself or as a part of another user.
	IsDeleted(ctx context.Context, userID string) (Answer, error)
}

// Answer is what a provider says about one user.
type Answer struct {
	Deleted bool // the provider knows no such user
	// Instance is the provider's instance (at Auth0: tenant) that says so, as
	// events name it: users of one instance are unknown to all others. It is ""
	// when the provider does not tell, and when the user is not deleted.
	Instance string
}

// Source is a Directory with what has to be known about its ids.
type Source struct {
	Directory

	Provider string // the route's name of the provider, for example "clerk"
	MaxIDs   int    // how many users one call of Existing may name
	// OwnsID says whether a text looks like an id of this provider. What does
	// not is never asked about and never deleted.
	OwnsID func(id string) bool
	// Organizations asks about organizations of users; nil where that is not possible.
	Organizations *Organizations
	// IDsAmbiguous says that ids of others look the same, so that many who are missing
	// may be somebody else's.
	IDsAmbiguous bool
	ReadLag      time.Duration // how long after a change IsDeleted may still answer as before it
}

// Organizations is a provider's word on which organizations of users exist.
type Organizations struct {
	IsDeleted func(ctx context.Context, id string) (Answer, error) // as Directory.IsDeleted
	OwnsID    func(id string) bool                                 // as Source.OwnsID
}

// Error says why a provider gave no clear answer. Its text is for people, and has no
// address, id, token or word of the response.
type Error struct {
	Reason     deletion.RetryReason // why to try again later; "" when the API asks to wait
	RetryAfter time.Duration        // how long the API asks to wait, else 0
	Err        error                // what happened
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap implements the errors package's contract.
func (e *Error) Unwrap() error { return e.Err }

func unanswered(reason deletion.RetryReason, format string, args ...any) error {
	return &Error{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// inconclusive makes the error for a response that is neither yes nor no.
func inconclusive(format string, args ...any) error {
	return unanswered(deletion.RetryDirectoryInconclusive, format, args...)
}

// checkCount refuses a lookup of nobody, which would list everybody, and of more
// users than one response holds.
func checkCount(userIDs []string, most int) error {
	if len(userIDs) == 0 || len(userIDs) > most {
		return inconclusive("one request looks up 1 to %d users, not %d", most, len(userIDs))
	}
	return nil
}

// matched returns the listed ids as a set. Ids that nobody asked about show that
// the provider ignored the filter, and then a missing one means nothing.
func matched(asked, listed []string) (map[string]bool, error) {
	existing := make(map[string]bool, len(listed))
	for _, id := range listed {
		if !slices.Contains(asked, id) || existing[id] {
			return nil, inconclusive("the provider lists users other than those it was asked about")
		}
		existing[id] = true
	}
	return existing, nil
}
