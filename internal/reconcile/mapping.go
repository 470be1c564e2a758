package reconcile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar"
)

// Mapping says how many of Polar's customers a deletion can find, by the form of their
// external ids. It is stored.
type Mapping struct {
	Present int       `json:"present"`         // of the form that users' ids have
	Foreign int       `json:"foreign"`         // of another one
	Absent  int       `json:"absent"`          // without an external id
	Total   int       `json:"total"`           // all at Polar; more than were counted when it is a sample
	At      time.Time `json:"at"`              // when it was counted
	Owner   string    `json:"organization_id"` // Polar's id of the organization, "" when there is no customer
}

// Counted is how many customers were looked at.
func (m Mapping) Counted() int { return m.Present + m.Foreign + m.Absent }

func (m *Mapping) add(c polar.ListedCustomer, isUsers func(id string) bool) {
	m.Owner = c.OrganizationID
	switch {
	case c.ExternalID == "":
		m.Absent++
	case deletion.CheckExternalID(c.ExternalID) == nil && isUsers(c.ExternalID):
		m.Present++
	default:
		m.Foreign++
	}
}

// CountMapping counts all customers, or those on so many pages from the oldest to the
// newest, and nothing of them is kept. Customers who are deleted meanwhile may make it
// miss others.
func (s *Sweeper) CountMapping(ctx context.Context, pages int) (Mapping, error) {
	m := Mapping{At: s.options.Now()}
	for page, read := 1, 1; ; read++ {
		found, err := s.list(ctx, page, polar.MaxPage)
		if err != nil {
			return Mapping{}, err
		}
		m.Total = found.Total
		for _, c := range found.Customers {
			m.add(c, s.options.IsUsers)
		}
		switch last := (found.Total + polar.MaxPage - 1) / polar.MaxPage; {
		case page >= last || read == pages:
			return m, nil
		case pages == 0 || last <= pages:
			page++
		default:
			page = 1 + read*(last-1)/(pages-1)
		}
		s.options.OnProgress(Progress{Done: m.Counted(), Total: max(m.Total, m.Counted())})
	}
}

// SaveMapping stores the counts in place of the organization's last ones.
func (s *Sweeper) SaveMapping(ctx context.Context, m Mapping) error {
	text, err := json.Marshal(m)
	if err == nil {
		_, err = s.store.db.ExecContext(ctx, s.store.sql.SaveMapping, m.Owner, string(text))
	}
	if err != nil {
		return fmt.Errorf("store how many customers can be found: %w", err)
	}
	return nil
}

// LastMapping returns the counts that were stored last, by whoever counted, of the
// organization that the database belongs to.
func (s *Sweeper) LastMapping(ctx context.Context) (m Mapping, err error) {
	var text string
	err = s.store.db.QueryRowContext(ctx, s.store.sql.LastMapping).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return Mapping{}, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &m)
	}
	if err != nil {
		return Mapping{}, fmt.Errorf("read how many customers can be found: %w", err)
	}
	return m, nil
}
