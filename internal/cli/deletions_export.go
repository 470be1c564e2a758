package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

type exportCommand struct {
	Since      moment     `name:"since" placeholder:"WHEN" help:"Only those finished since then: 72h, 30d, 2026-11-01 or 2026-11-01T12:00:00Z."`
	Until      moment     `name:"until" placeholder:"WHEN" help:"Only those finished before then, which lies at least ten minutes back. With the --since of the next export no row is missed and none comes twice."`
	ExternalID externalID `name:"external-id" placeholder:"ID" help:"Only those of this customer."`
	Format     string     `name:"format" enum:"csv,jsonl" default:"csv" placeholder:"FORMAT" help:"csv (by default) or jsonl, one JSON object a line."`
	Digest     bool       `name:"digest" help:"Write a digest in place of external ids, the same as in the log."`
}

// Help is shown below the flags' list.
func (*exportCommand) Help() string {
	return `A row with the outcome deleted proves that Polar confirmed the deletion of the customer with that external id; docs/erasure.md says what it does not prove. Finished deletions are kept for RETENTION, so export more often than that.

In CSV, cells that a spreadsheet would take for a formula begin with an apostrophe; jsonl has the text as it is.`
}

// proof is one row: of JSON, or of CSV with the same names. Whoever reads it relies
// on them. Times are to the second.
type proof struct {
	ID          int64                 `json:"deletion_id"`
	Provider    string                `json:"provider"`
	EventID     string                `json:"event_id"`
	Source      deletion.Source       `json:"source"`
	Object      deletion.Object       `json:"object"`
	ExternalID  string                `json:"external_id"`
	CustomerID  string                `json:"customer_id"`
	ReceivedAt  time.Time             `json:"received_at"`
	DeletedAt   time.Time             `json:"deleted_at"` // when Polar's confirmation was seen; only with the outcome deleted
	VerifiedAt  time.Time             `json:"verified_at"`
	FinishedAt  time.Time             `json:"finished_at"`
	Attempts    int64                 `json:"attempts"`
	Outcome     deletion.Outcome      `json:"outcome"`
	ConfirmedBy deletion.Confirmation `json:"confirmed_by"`
	Anonymized  bool                  `json:"anonymized"`
	Forgotten   bool                  `json:"forgotten"`

	Verification        deletion.Verification       `json:"verification"`
	SubscriptionsEnded  deletion.SubscriptionsEnded `json:"subscriptions_ended"`
	ActiveSubscriptions *int                        `json:"active_subscriptions"`
	GrantedBenefits     *int                        `json:"granted_benefits"`
	MetadataSearch      deletion.Search             `json:"metadata_search"`
	TraceID             string                      `json:"trace_id"`

	Actions []queue.Action `json:"actions"`
}

// Validate refuses a window whose end is not settled.
func (c *exportCommand) Validate() error {
	if !c.Until.IsZero() && time.Since(c.Until.Time) < ops.Settled {
		return fmt.Errorf("--until must lie at least %s back: what finished since may not be stored yet", ops.Settled)
	}
	return nil
}

// Run writes the rows as they are read.
func (c *exportCommand) Run(ctx context.Context, env *Env, s *session) error {
	now := time.Now()
	show := func(id string) string { return id }
	if c.Digest {
		show = queue.LogID(queue.LogDigest, s.key)
	}
	out := bufio.NewWriter(env.Stdout)
	rows, err := c.write(out, s.Finished(ctx, c.Since.Time, c.Until.Time, string(c.ExternalID)), show)
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	fmt.Fprintf(env.Stderr, "%s written.\n", plural(rows, "finished deletion"))
	if c.Until.IsZero() {
		fmt.Fprintf(env.Stderr, "What finished just now may be missing. To miss no row, begin the next export with --since %s; some rows come twice.\n", instant(now.Add(-ops.Settled)))
	}
	return nil
}

func (c *exportCommand) write(w io.Writer, records iter.Seq2[queue.Record, error], show func(id string) string) (rows int, err error) {
	table := csv.NewWriter(w)
	if c.Format == "csv" {
		var columns []string
		for field := range reflect.TypeFor[proof]().Fields() {
			columns = append(columns, field.Tag.Get("json"))
		}
		if err := table.Write(columns); err != nil {
			return 0, err
		}
	}
	for r, err := range records {
		if err != nil {
			return rows, err
		}
		p := prove(r, show)
		if c.Format == "csv" {
			var cells []string
			for _, value := range reflect.ValueOf(p).Fields() {
				cells = append(cells, harmless(cell(value.Interface())))
			}
			err = table.Write(cells)
		} else {
			err = printJSON(w, p)
		}
		if err != nil {
			return rows, err
		}
		rows++
	}
	table.Flush()
	return rows, table.Error()
}

func prove(r queue.Record, show func(id string) string) proof {
	p := proof{
		ID: r.ID, Provider: r.Provider, EventID: r.EventID, Source: r.Source, Object: r.Object, ExternalID: show(cmp.Or(r.UnusableID, r.ExternalID)), CustomerID: r.CustomerID,
		ReceivedAt: r.ReceivedAt.Truncate(time.Second), VerifiedAt: r.VerifiedAt.Truncate(time.Second), FinishedAt: r.FinishedAt.Truncate(time.Second),
		Attempts: r.Attempts, Outcome: r.Outcome, ConfirmedBy: r.ConfirmedBy, Anonymized: r.Anonymized, Forgotten: r.Forgotten,
		Verification: r.Verification, ActiveSubscriptions: r.ActiveSubscriptions, GrantedBenefits: r.GrantedBenefits,
		MetadataSearch: r.MetadataSearch, TraceID: r.TraceID, Actions: slices.Clone(r.Actions),
	}
	for i := range p.Actions {
		p.Actions[i].At = p.Actions[i].At.Truncate(time.Second)
	}
	if r.Outcome == deletion.OutcomeDeleted {
		p.DeletedAt = p.FinishedAt
		p.SubscriptionsEnded = cmp.Or(r.SubscriptionsEnded, deletion.SubscriptionsEndedNotAsked)
	}
	return p
}

// cell is a member of a proof in CSV: empty when it is not known.
func cell(value any) string {
	switch value := value.(type) {
	case time.Time:
		return instant(value)
	case *int:
		return number(value)
	case []queue.Action:
		texts := make([]string, len(value))
		for i, a := range value {
			texts[i] = instant(a.At) + " " + actionInWords(a)
		}
		return strings.Join(texts, "; ")
	}
	return fmt.Sprint(value)
}

// harmless keeps a spreadsheet from taking a stranger's text for a formula.
// https://owasp.org/www-community/attacks/CSV_Injection
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// instant is a time for machines, "" when there is none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
