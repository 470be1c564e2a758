package directory

import (
	"context"
	"errors"

	"github.com/polar-bridge/polar-bridge/internal/authdatabase"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// sqlMaxIDs is how many ids one call names: few enough for a second on a slow server.
const sqlMaxIDs = 500

// SQL asks the database of an auth system, by the function polar_bridge.living that its
// administrator has made there.
type SQL struct {
	database *authdatabase.Database
	pinned   *PinnedInstance
	ownsID   func(id string) bool
}

// NewSQL returns the database's directory and makes no request. Pinned says whether the
// database may be asked, nil allows any: another one, a test environment's say, knows
// none of our users.
func NewSQL(database *authdatabase.Database, pinned *PinnedInstance) *SQL {
	return &SQL{database, pinned, database.OwnsID()}
}

// Source returns the directory with what has to be known about its ids.
func (s *SQL) Source() Source {
	return Source{Directory: s, Provider: s.database.Provider, MaxIDs: sqlMaxIDs, OwnsID: s.ownsID, IDsAmbiguous: true}
}

// Existing implements Directory.
func (s *SQL) Existing(ctx context.Context, userIDs []string) (map[string]bool, error) {
	if err := checkCount(userIDs, sqlMaxIDs); err != nil {
		return nil, err
	}
	living, _, err := s.living(ctx, userIDs)
	return living, err
}

// IsDeleted implements Directory.
func (s *SQL) IsDeleted(ctx context.Context, userID string) (Answer, error) {
	if !s.ownsID(userID) {
		return Answer{}, inconclusive("the event's user id has another form than the ids of %s: it is none of its users", s.database.Provider)
	}
	living, instance, err := s.living(ctx, []string{userID})
	if err != nil || living[userID] {
		return Answer{}, err
	}
	return Answer{Deleted: true, Instance: instance}, nil
}

// Instance proves that the database can be asked, and returns which one it is.
func (s *SQL) Instance(ctx context.Context) (string, error) {
	_, instance, err := s.ask(ctx, nil)
	return instance, err
}

func (s *SQL) living(ctx context.Context, userIDs []string) (living map[string]bool, instance string, err error) {
	living, instance, err = s.ask(ctx, userIDs)
	if err == nil {
		err = s.pinned.Allow(ctx, instance)
	}
	return living, instance, err
}

func (s *SQL) ask(ctx context.Context, userIDs []string) (living map[string]bool, instance string, err error) {
	living, instance, err = s.database.Living(ctx, userIDs)
	switch problem, ok := errors.AsType[*authdatabase.Error](err); {
	case !ok:
	case problem.Problem == authdatabase.Unavailable:
		err = unanswered(deletion.RetryDirectoryUnavailable, "%w", err)
	case problem.Problem == authdatabase.Refused:
		err = unanswered(deletion.RetryDirectoryUnauthorized, "%w", err)
	default:
		err = inconclusive("%w", err)
	}
	return living, instance, err
}
