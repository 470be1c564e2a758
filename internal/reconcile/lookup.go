package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/polar"
)

// organizationPrefix begins the ids of organizations, who are no missing users, also
// where ids of users may have any form.
const organizationPrefix = "org_"

// candidates counts the unread customers of a page, and returns those of them
// whose users the provider does not list.
func (s *Sweeper) candidates(ctx context.Context, current *sweep, customers []polar.ListedCustomer) ([]polar.ListedCustomer, error) {
	var asked []polar.ListedCustomer
	for _, c := range customers {
		if !current.Position.unread(c) {
			continue
		}
		current.Position.read(c)
		current.Counts.Read++
		if s.options.IsUsers != nil {
			current.Counts.Mapping.add(c, s.options.IsUsers)
		}
		switch {
		case c.ExternalID == "":
			current.Counts.WithoutID++
		case strings.HasPrefix(c.ExternalID, organizationPrefix), deletion.CheckExternalID(c.ExternalID) != nil, !s.options.Source.OwnsID(c.ExternalID), s.options.Pattern != nil && !s.options.Pattern.MatchString(c.ExternalID):
			current.Counts.Foreign++
		case s.options.Now().Sub(c.CreatedAt) < youngest:
			current.Counts.Young++
		default:
			asked = append(asked, c)
		}
	}
	var missing []polar.ListedCustomer
	for chunk := range slices.Chunk(asked, s.options.Source.MaxIDs) {
		ids := make([]string, len(chunk))
		for i, c := range chunk {
			ids[i] = c.ExternalID
		}
		existing, err := retry(ctx, s, func(ctx context.Context) (map[string]bool, error) {
			return s.options.Source.Existing(ctx, ids)
		})
		if err != nil {
			return nil, fmt.Errorf("ask which users exist: %w", err)
		}
		missing = append(missing, slices.DeleteFunc(chunk, func(c polar.ListedCustomer) bool { return existing[c.ExternalID] })...)
	}
	current.Counts.Asked += len(asked)
	current.Counts.Candidates += len(missing)
	return missing, nil
}

// checkCandidates asks about each candidate alone.
func (s *Sweeper) checkCandidates(ctx context.Context, current *sweep) error {
	checked, _, err := s.store.count(ctx)
	if err != nil {
		return err
	}
	for {
		unchecked, err := s.store.next(ctx, statusUnchecked, Orphan{})
		if err != nil || len(unchecked) == 0 {
			return err
		}
		for _, candidate := range unchecked {
			if err := s.checkCandidate(ctx, candidate); err != nil {
				return err
			}
			checked++
			s.options.OnProgress(Progress{Checking: true, Done: checked, Total: max(current.Counts.Candidates, checked)})
		}
	}
}

func (s *Sweeper) checkCandidate(ctx context.Context, candidate Orphan) error {
	candidate.checkedAt = s.options.Now()
	answer, err := retry(ctx, s, func(ctx context.Context) (directory.Answer, error) {
		return s.options.Source.IsDeleted(ctx, candidate.ExternalID)
	})
	if err != nil {
		return fmt.Errorf("ask whether a user was deleted: %w", err)
	}
	if !answer.Deleted {
		return s.store.record(ctx, candidate, statusExists)
	}
	candidate.Instance = answer.Instance
	if candidate.ActiveSubscriptions, err = s.activeSubscriptions(ctx, candidate.ExternalID); err != nil {
		return err
	}
	return s.store.record(ctx, candidate, statusDeleted)
}
