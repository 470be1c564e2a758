package cli

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/queue"
)

// selftestTimes are when the steps that this process sees happened.
type selftestTimes struct {
	creating, created, began, connected, answered, gone time.Time
}

// selftestReport is what is printed.
type selftestReport struct {
	OK         bool           `json:"ok"`          // the customer was deleted by the server
	Fault      string         `json:"fault"`       // why not
	Provider   string         `json:"provider"`    // whose webhook was sent
	EventID    string         `json:"event_id"`    // the webhook's
	ExternalID string         `json:"external_id"` // the customer's
	CustomerID string         `json:"customer_id"` // Polar's id of the customer
	DeletionID *int64         `json:"deletion_id"` // null when it is not known
	Status     *int           `json:"status"`      // of the answer to the webhook; null when there was none
	Steps      []selftestStep `json:"steps"`       // what happened, in that order
}

// selftestStep is one step on the way; TookMS is nil when nobody can tell.
type selftestStep struct {
	Name   string `json:"step"`    // the step's name
	TookMS *int64 `json:"took_ms"` // milliseconds; null when nobody can tell
	Detail string `json:"detail"`  // what happened
}

// step adds what took from one time to another, or an unknown time if either is, or if
// they are of clocks that differ.
func (t *selftest) step(name string, from, until time.Time, detail string) {
	s := selftestStep{Name: name, Detail: detail}
	if took := until.Sub(from).Milliseconds(); !from.IsZero() && !until.IsZero() && took >= 0 {
		s.TookMS = &took
	}
	t.report.Steps = append(t.report.Steps, s)
}

// describe makes the timeline.
func (t *selftest) describe(row *queue.Record, removed bool, removeErr error) {
	t.report.Provider, t.report.EventID, t.report.ExternalID = t.provider.Name, t.eventID, t.externalID
	times := &t.times
	if t.report.CustomerID != "" {
		t.step("customer", times.creating, times.created, "made at Polar with the external id "+t.externalID)
	}
	if !times.connected.IsZero() {
		t.step("proxy", times.began, times.connected, "connected to "+visible(t.URL))
	}
	switch {
	case t.report.Status == nil || *t.report.Status/100 != http.StatusOK/100: // not taken
	case row == nil:
		t.step("signature, disk", times.connected, times.answered, fmt.Sprintf("genuine, and stored: answered %d", *t.report.Status))
		t.step("queue, Polar", times.answered, times.gone, "not seen one by one: "+t.unseen)
	default:
		t.report.DeletionID = &row.ID
		t.step("signature", times.connected, row.ReceivedAt, "genuine")
		t.step("disk", row.ReceivedAt, times.answered, fmt.Sprintf("stored as deletion %d: answered %d", row.ID, *t.report.Status))
		t.step("queue", row.ReceivedAt, row.SentAt, "until the request to Polar")
		t.step("Polar", row.SentAt, row.FinishedAt, "until its answer was stored: "+cmp.Or(string(row.Outcome), "none yet"))
	}
	switch {
	case removeErr != nil || !t.mayExist: // said elsewhere, or nothing to say
	case removed:
		t.step("removal", time.Time{}, time.Time{}, "the customer was still there, and this command has deleted them")
	default:
		t.step("gone", times.began, times.gone, "asked once more, Polar has no such customer")
	}
}

// print writes the report as a table, or as JSON.
func (t *selftest) print() error {
	if t.JSON {
		return printJSON(t.env.Stdout, t.report)
	}
	table := newTable(t.env.Stdout)
	table.line("STEP", "TOOK", "WHAT HAPPENED")
	for _, s := range t.report.Steps {
		took := "-"
		if s.TookMS != nil {
			took = fmt.Sprintf("%d ms", *s.TookMS)
		}
		table.line(s.Name, took, s.Detail)
	}
	if err := table.flush(); err != nil || !t.report.OK {
		return err
	}
	_, err := fmt.Fprintln(t.env.Stdout, "\nThe way from the identity provider to Polar works.")
	return err
}
