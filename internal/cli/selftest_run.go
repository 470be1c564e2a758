package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/polar"
)

const (
	// selftestLookEvery is how often the server's database is looked at, or Polar asked.
	selftestLookEvery, selftestAskEvery = 200 * time.Millisecond, 2 * time.Second
	// selftestVisibleFor bounds how long Polar's replicas may not know a new customer.
	selftestVisibleFor = 15 * time.Second
	// selftestRemoveFor bounds the removal, which nothing interrupts.
	selftestRemoveFor = 30 * time.Second
)

// run makes the customer, has them deleted and prints what happened. The customer is
// removed in any case.
func (t *selftest) run(ctx context.Context) error {
	trying, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	row, fault := t.try(trying)
	removed, removeErr := t.remove(context.WithoutCancel(ctx))
	switch {
	case ctx.Err() != nil:
		fault = errors.New("interrupted")
	case errors.Is(fault, errNotSeen) && removeErr == nil && !removed:
		fault = nil // Polar's replicas had not told yet
	case fault == nil && removed:
		fault = errors.New("the server says that the customer is deleted, and Polar still had them: do both talk to the same Polar?")
	}
	t.times.gone = time.Now()
	if row != nil && row.Source != deletion.SourceSelftest {
		fmt.Fprintln(t.env.Stderr, "polar-bridge: the server did not recognise the test, so metrics and export count it: it has another version, or the secret in another notation")
	}
	t.describe(row, removed, removeErr)
	if fault != nil {
		t.report.Fault = fault.Error()
	}
	fault = errors.Join(fault, removeErr)
	t.report.OK = fault == nil
	return errors.Join(t.print(), fault)
}

// errNotSeen says that the server took the event, and that nothing more was seen of it.
var errNotSeen = errors.New("the server has taken the event and has not deleted the customer in time")

// try returns the deletion's row, where there is one to be seen, and what kept the
// customer from being deleted.
func (t *selftest) try(ctx context.Context) (*queue.Record, error) {
	if err := t.create(ctx); err != nil {
		return nil, err
	}
	if err := t.checkOrganization(); err != nil {
		return nil, err
	}
	if err := t.awaitVisible(ctx); err != nil {
		return nil, err
	}
	if err := t.send(ctx); err != nil {
		return nil, err
	}
	return t.await(ctx)
}

// create makes the customer.
func (t *selftest) create(ctx context.Context) error {
	local, domain, found := strings.Cut(t.Email, "@")
	if !found {
		return usage("--email must be an e-mail address")
	}
	const word = 6
	email := local + "+selftest-" + t.externalID[len(t.externalID)-word:] + "@" + domain
	t.mayExist = true
	t.times.creating = time.Now()
	customer, answer, err := t.client.CreateCustomer(ctx, t.externalID, "polar-bridge selftest", email)
	t.times.created = time.Now()
	if answer.Result == polar.ResultFound {
		t.customer = customer
		t.report.CustomerID = customer.ID
		return nil
	}
	t.mayExist = !slices.Contains([]polar.Result{polar.ResultRateLimited, polar.ResultUnauthorized, polar.ResultForbidden, polar.ResultRejected}, answer.Result)
	switch {
	case t.mayExist:
		return fmt.Errorf("Polar did not make a customer: status %d: %w", answer.StatusCode, cmp.Or(err, errors.New("not the answer that it gives when all is well"))) //nolint:staticcheck // a name begins it
	case answer.LacksScope():
		return errors.New("POLAR_ACCESS_TOKEN lacks the scope customers:write")
	case answer.Result == polar.ResultUnauthorized:
		return errors.New("Polar refuses POLAR_ACCESS_TOKEN: is it one of the Polar that POLAR_SERVER names?") //nolint:staticcheck // a name begins it
	case answer.Result == polar.ResultRateLimited:
		return fmt.Errorf("Polar asks to wait %s: try again then", answer.RetryAfter) //nolint:staticcheck // a name begins it
	case answer.Result == polar.ResultRejected:
		return errors.New("Polar does not take the address of --email: its domain must take mail") //nolint:staticcheck // a name begins it
	}
	return fmt.Errorf("Polar did not make a customer: status %d%s", answer.StatusCode, code(answer)) //nolint:staticcheck // a name begins it
}

// awaitVisible waits until Polar shows the customer: it answers from replicas, and a
// customer whom they do not know yet would look deleted.
func (t *selftest) awaitVisible(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, selftestVisibleFor)
	defer cancel()
	for {
		_, answer, _ := t.client.GetCustomer(ctx, t.externalID) // the answer says what there is to say
		if answer.Result == polar.ResultFound {
			return nil
		}
		if queue.Sleep(ctx, selftestLookEvery) != nil {
			return fmt.Errorf("Polar made a customer and does not show them: status %d", answer.StatusCode) //nolint:staticcheck // a name begins it
		}
	}
}

// send posts the deletion, later than the customer was made by Polar's clock too.
func (t *selftest) send(ctx context.Context) error {
	at := time.Now()
	if t.customer.CreatedAt.After(at) {
		at = t.customer.CreatedAt
	}
	header, body, err := t.event(at)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(body)
	header.Set("Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(digest[:])+":")
	t.times.began = time.Now()
	status, answer, err := post(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { t.times.connected = time.Now() },
	}), strings.TrimRight(t.URL, "/")+"/webhooks/"+t.provider.Name, header, body)
	t.times.answered = time.Now()
	if err != nil {
		address, _ := url.Parse(t.URL) // load has read it
		return fmt.Errorf("%s cannot be reached: %w", address.Host, err)
	}
	t.report.Status = &status
	if strings.Contains(answer, `"status":"ignored"`) {
		return errors.New("the server ignores the event: its EXTERNAL_ID_PATTERN, or its settings of " + t.provider.Title + ", are others than here")
	}
	return refusal(t.provider, status, answer)
}

// await waits until the customer is deleted, or until it is known why not.
func (t *selftest) await(ctx context.Context) (*queue.Record, error) {
	var last *queue.Record
	for asked := time.Now(); ; {
		row, err := t.row(ctx)
		switch {
		case ctx.Err() != nil:
			return last, t.late(last)
		case err != nil:
			return last, err
		case row != nil:
			last = row
			if row.State != deletion.StateWaiting {
				return row, ended(row)
			}
			if err := t.blocked(ctx, row); err != nil {
				return row, err
			}
		case time.Since(asked) >= selftestAskEvery:
			asked = time.Now()
			if _, answer, _ := t.client.GetCustomer(ctx, t.externalID); answer.Result == polar.ResultNotFound { // the answer says what there is to say
				return nil, nil //nolint:nilnil // the row is not to be seen
			}
		}
		if queue.Sleep(ctx, selftestLookEvery) != nil {
			return last, t.late(last)
		}
	}
}

// late says what is known of a deletion that took too long.
func (t *selftest) late(row *queue.Record) error {
	if row != nil {
		return fmt.Errorf("%w: deletion %d waits, and its last attempt came to %s (status %s); see polar-bridge deletions show %d",
			errNotSeen, row.ID, cmp.Or(row.Result, "nothing"), cmp.Or(number(row.PolarStatus), "nothing"), row.ID)
	}
	return fmt.Errorf("%w. Is it paused, is its POLAR_ACCESS_TOKEN refused or another organization's, or do its GRACE_PERIOD, DRY_RUN or MAX_DELETIONS_PER_HOUR differ from those here? Its log says it, and so does polar-bridge doctor there", errNotSeen)
}

// ended says what is wrong with how the deletion ended; nil when nothing is.
func ended(r *queue.Record) error {
	switch {
	case r.State == deletion.StateHeld:
		return fmt.Errorf("the server holds the deletion as %s: see polar-bridge deletions show %d", r.HoldReason, r.ID)
	case r.Outcome == deletion.OutcomeDeleted:
		return nil
	case r.Outcome == deletion.OutcomeNotFound:
		return errors.New("wrong organization: the server's Polar knows no such customer, so its POLAR_ACCESS_TOKEN, or its POLAR_SERVER, is another one's than here")
	case r.Outcome == deletion.OutcomeDryRun:
		return errors.New("the server runs with DRY_RUN and deletes nobody")
	}
	return fmt.Errorf("somebody has cancelled the deletion: see polar-bridge deletions show %d", r.ID)
}

// remove deletes the customer and says whether they still existed. Polar answers a
// deletion from its primary: nobody found is the proof.
func (t *selftest) remove(ctx context.Context) (removed bool, err error) {
	if !t.mayExist {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, selftestRemoveFor)
	defer cancel()
	if err := t.cancelRow(ctx); err != nil {
		fmt.Fprintf(t.env.Stderr, "polar-bridge: the deletion could not be cancelled: %v\n", err)
	}
	for {
		answer, err := t.client.DeleteCustomer(ctx, t.externalID, t.Polar.Anonymize)
		if answer.Result == polar.ResultDeleted || answer.Result == polar.ResultNotFound {
			return removed || answer.Result == polar.ResultDeleted, nil
		}
		removed = removed || answer.AnswerLost
		if queue.Sleep(ctx, max(answer.RetryAfter, time.Second)) != nil {
			return false, fmt.Errorf("the customer could not be removed: delete the one with the external id %q in Polar's dashboard (%w)", t.externalID, cmp.Or(err, fmt.Errorf("status %d", answer.StatusCode)))
		}
	}
}
