package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/event"
)

const (
	// idsAtOnce is how many ids one look gathers, mostly from an index alone.
	idsAtOnce = 10_000
	// rowsAtOnce is how many deletions are in memory at a time. Each look is
	// short, so that SQLite's log can be taken in between.
	rowsAtOnce = 500
)

// Filter chooses deletions. Its zero value chooses all.
type Filter struct {
	State State
	// Since leaves out those that were accepted before.
	Since      time.Time
	ExternalID string
	// Reason is why they are held.
	Reason event.HoldReason
	// Limit is how many at most, 0 for all.
	Limit int
}

// Find returns one deletion, or a RefusedError when there is none.
func (o *Operator) Find(ctx context.Context, id int64) (Record, error) {
	found, err := jobs(ctx, o.options.Reader, "SELECT "+o.sql.withErrors+" FROM river_job WHERE id = $1", id)
	if err != nil {
		return Record{}, err
	}
	if len(found) == 0 || !found[0].ours() {
		return Record{}, unknownError(id)
	}
	return found[0].record(), nil
}

// List yields the chosen deletions, the newest first, until an error.
func (o *Operator) List(ctx context.Context, f Filter) iter.Seq2[Record, error] {
	where, parameters := []string{f.State.in()}, []any{}
	add := func(condition string, value any) {
		parameters = append(parameters, value)
		where = append(where, fmt.Sprintf(condition, len(parameters)))
	}
	if !f.Since.IsZero() {
		add("created_at >= $%d", o.sql.time(f.Since))
	}
	if f.ExternalID != "" {
		add(o.sql.argument("external_id")+" = $%d", f.ExternalID)
	}
	if f.Reason != "" {
		where = append(where, isHeld)
		add(o.sql.detail(keyHoldReason)+" = $%d", string(f.Reason))
	}
	chosen := o.each(ctx, selection{where: strings.Join(where, " AND "), parameters: parameters, newestFirst: true})
	return func(yield func(Record, error) bool) {
		count := 0
		for j, err := range chosen {
			if err != nil {
				yield(Record{}, err)
				return
			}
			// The state may have changed since the ids were gathered.
			if !j.shown() || f.State != "" && j.stateInWords() != f.State {
				continue
			}
			if !yield(j.record(), nil) {
				return
			}
			if count++; count == f.Limit {
				return
			}
		}
	}
}

// Finished yields what was done or cancelled since then and before until, when
// that is not zero, in the order of acceptance, until an error. Look-ups are not
// deletions and left out.
//
// What finished a moment ago may be stored a moment later: see Settled.
func (o *Operator) Finished(ctx context.Context, since, until time.Time) iter.Seq2[Record, error] {
	s := selection{where: isFinished + " AND finalized_at >= $1", parameters: []any{o.sql.time(since)}}
	if !until.IsZero() {
		s.where += " AND finalized_at < $2"
		s.parameters = append(s.parameters, o.sql.time(until))
	}
	chosen := o.each(ctx, s)
	return func(yield func(Record, error) bool) {
		for j, err := range chosen {
			if err != nil {
				yield(Record{}, err)
				return
			}
			if j.shown() && j.finished() && !yield(j.record(), nil) {
				return
			}
		}
	}
}

// Settled is how long after a deletion finished it is surely stored as finished:
// the time is a server's clock, and the row is written afterwards, again and
// again while the database is busy.
const Settled = 10 * time.Minute

// selection says which rows are looked at.
type selection struct {
	where       string
	parameters  []any
	newestFirst bool
}

// each yields the rows by their ids.
func (o *Operator) each(ctx context.Context, s selection) iter.Seq2[*job, error] {
	return func(yield func(*job, error) bool) {
		for ids, err := range o.ids(ctx, s) {
			if err != nil {
				yield(nil, err)
				return
			}
			for some := range slices.Chunk(ids, rowsAtOnce) {
				parameters, values := numbered(some)
				found, err := jobs(ctx, o.options.Reader,
					"SELECT "+o.sql.columns+" FROM river_job WHERE id IN ("+parameters+") ORDER BY id"+s.order(), values...)
				if err != nil {
					yield(nil, err)
					return
				}
				for _, j := range found {
					if !yield(j, nil) {
						return
					}
				}
			}
		}
	}
}

// ids yields the ids in chunks, each from where the last one ended.
func (o *Operator) ids(ctx context.Context, s selection) iter.Seq2[[]int64, error] {
	next := len(s.parameters) + 1
	comparison, last := ">", int64(0)
	if s.newestFirst {
		comparison, last = "<", math.MaxInt64
	}
	query := fmt.Sprintf("SELECT id FROM river_job WHERE (%s) AND id %s $%d ORDER BY id%s LIMIT %d",
		s.where, comparison, next, s.order(), idsAtOnce)
	return func(yield func([]int64, error) bool) {
		for {
			ids, err := o.readIDs(ctx, query, append(slices.Clone(s.parameters), last))
			if err != nil {
				yield(nil, err)
				return
			}
			if len(ids) == 0 || !yield(ids, nil) || len(ids) < idsAtOnce {
				return
			}
			last = ids[len(ids)-1]
		}
	}
}

func (o *Operator) readIDs(ctx context.Context, query string, parameters []any) (ids []int64, err error) {
	rows, err := o.options.Reader.QueryContext(ctx, query, parameters...)
	if err != nil {
		return nil, fmt.Errorf("look for deletions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("look for deletions: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func (s selection) order() string {
	if s.newestFirst {
		return " DESC"
	}
	return ""
}

// Stats counts all deletions that are kept.
type Stats struct {
	// Providers are in alphabetical order.
	Providers []ProviderStats `json:"providers"`
	// Held counts what waits for a decision, look-ups after deletions among them.
	Held map[event.HoldReason]int `json:"held_by_reason"`
	// OldestWaiting is when the oldest waiting deletion was accepted and
	// NextRetry when the next one that waits for its time is due; zero when there is none.
	OldestWaiting time.Time `json:"oldest_waiting,omitzero"`
	NextRetry     time.Time `json:"next_retry,omitzero"`
	Pause         Pause     `json:"pause"`
}

// ProviderStats counts the deletions of one provider.
type ProviderStats struct {
	Provider string                `json:"provider"`
	Waiting  int                   `json:"waiting"`
	Held     int                   `json:"held"`
	Outcomes map[event.Outcome]int `json:"outcomes"`
}

// Stats reads the whole table once.
func (o *Operator) Stats(ctx context.Context) (Stats, error) {
	s := Stats{Held: make(map[event.HoldReason]int), Providers: []ProviderStats{}}
	if err := o.count(ctx, &s); err != nil {
		return Stats{}, err
	}
	var err error
	const waits = "kind <> '" + kindVerify + "' AND state IN "
	s.OldestWaiting, err = o.first(ctx, "created_at", waits+
		"('available', 'pending', 'retryable', 'running', 'scheduled') AND scheduled_at <= "+heldFrom)
	if err != nil {
		return Stats{}, err
	}
	if s.NextRetry, err = o.first(ctx, "scheduled_at", waits+"('retryable', 'scheduled') AND scheduled_at <= "+heldFrom); err != nil {
		return Stats{}, err
	}
	s.Pause, err = o.Paused(ctx)
	return s, err
}

// first returns the earliest time in the column, zero when there is none.
func (o *Operator) first(ctx context.Context, column, where string) (time.Time, error) {
	var at time.Time
	err := o.options.Reader.QueryRowContext(ctx, "SELECT "+column+" FROM river_job WHERE "+where+" ORDER BY "+column+" LIMIT 1").Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("look for the earliest deletion: %w", err)
	}
	return at.UTC(), nil
}

func (o *Operator) count(ctx context.Context, s *Stats) (err error) {
	outcome := o.sql.detail("output.outcome")
	if !o.sql.sqlite {
		outcome = "metadata#>>'{output,outcome}'"
	}
	word := "CASE WHEN " + isHeld + " THEN 'held' WHEN state = 'completed' THEN coalesce(" + outcome + ", '') WHEN state = 'cancelled' THEN 'cancelled' ELSE 'waiting' END"
	reason := "CASE WHEN " + isHeld + " THEN coalesce(" + o.sql.detail(keyHoldReason) + ", '') ELSE '' END"
	//nolint:gosec // all parts are constants of ours
	query := "SELECT coalesce(" + o.sql.argument("provider") + ", ''), kind, " + word + " AS word, " + reason + " AS reason, count(*) FROM river_job GROUP BY 1, 2, 3, 4 ORDER BY 1"
	rows, err := o.options.Reader.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("count deletions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var provider, kind, word string
		var reason event.HoldReason
		var n int
		if err := rows.Scan(&provider, &kind, &word, &reason, &n); err != nil {
			return fmt.Errorf("count deletions: %w", err)
		}
		s.add(provider, kind, word, reason, n)
	}
	return rows.Err()
}

// add counts n deletions of a provider; the providers come in order.
func (s *Stats) add(provider, kind, word string, reason event.HoldReason, n int) {
	if word == string(StateHeld) {
		s.Held[reason] += n
	}
	if kind != kindDeletion && kind != kindDryRun {
		return
	}
	if len(s.Providers) == 0 || s.Providers[len(s.Providers)-1].Provider != provider {
		s.Providers = append(s.Providers, ProviderStats{Provider: provider, Outcomes: make(map[event.Outcome]int)})
	}
	p := &s.Providers[len(s.Providers)-1]
	switch word {
	case string(StateWaiting):
		p.Waiting += n
	case string(StateHeld):
		p.Held += n
	default:
		p.Outcomes[event.Outcome(word)] += n
	}
}
