package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

type approveCommand struct {
	choice

	Because operatorReason `name:"because" placeholder:"TEXT" help:"Why, for those who ask later; at most 500 bytes."`
}

// Help is shown below the flags' list.
func (*approveCommand) Help() string {
	return `Look first: deletions show ID. An approved deletion passes the guard that held it, and only that one; the others are asked again. What is deleted at Polar cannot be brought back: on a terminal it asks.

An approval is given for the customer that was last looked up: another one with the same external id is held again.

` + remedies(deletion.VerbApprove)
}

// Validate refuses what no approval changes.
func (c *approveCommand) Validate() error { return c.validate(deletion.VerbApprove) }

// Run approves deletions.
func (c *approveCommand) Run(ctx context.Context, env *Env, s *session) error {
	return c.act(ctx, env, s, act{
		verb: deletion.VerbApprove, question: "Approve %s; their customers will be deleted at Polar for good", because: string(c.Because),
		one: func(id int64) (string, error) {
			return "approved, will be tried now", s.Approve(ctx, id, string(c.Because))
		},
		loses: true, final: true,
	})
}

type retryCommand struct{ choice }

// Help is shown below the flags' list.
func (*retryCommand) Help() string {
	return `A waiting deletion is tried now instead of later. A held one goes back to waiting and may be held again: retry lets nothing pass. What is done, cancelled or being tried is refused.

` + remedies(deletion.VerbRetry)
}

// Validate refuses what no further try changes.
func (c *retryCommand) Validate() error { return c.validate(deletion.VerbRetry) }

// Run retries deletions.
func (c *retryCommand) Run(ctx context.Context, env *Env, s *session) error {
	return c.act(ctx, env, s, act{
		verb: deletion.VerbRetry, question: "Retry %s; they will be tried now, with all guards",
		one: func(id int64) (string, error) { return "will be tried now", s.Retry(ctx, id) },
	})
}

type cancelCommand struct {
	choice

	Because operatorReason `name:"because" required:"" placeholder:"TEXT" help:"Why, for those who ask later; at most 500 bytes."`
}

// Help is shown below the flags' list.
func (*cancelCommand) Help() string {
	return `A cancelled deletion is never tried again, and the same event sent again is a duplicate: on a terminal it asks. While a request to Polar is on its way it is refused: what Polar answers is what becomes of the deletion.`
}

// Run cancels deletions.
func (c *cancelCommand) Run(ctx context.Context, env *Env, s *session) error {
	return c.act(ctx, env, s, act{
		verb: deletion.VerbCancel, question: "Cancel %s; they will never be tried, and nobody is deleted", because: string(c.Because), final: true,
		one: func(id int64) (string, error) {
			sent, err := s.Cancel(ctx, id, string(c.Because))
			if sent {
				return "cancelled; an earlier request whose answer was lost may have deleted the customer", err
			}
			return "cancelled", err
		},
	})
}

type redoCommand struct {
	Outcome deletion.Outcome `name:"outcome" placeholder:"OUTCOME" help:"Everything that ended so: deleted or not_found. Needs --since."`
	Since   moment           `name:"since" placeholder:"WHEN" help:"Only those finished since then: 72h, 30d, 2026-11-01 or 2026-11-01T12:00:00Z."`
	Until   moment           `name:"until" placeholder:"WHEN" help:"Only those finished before then."`
	Because operatorReason   `name:"because" required:"" placeholder:"TEXT" help:"Why, for those who ask later; at most 500 bytes."`

	asking
}

// Help is shown below the flags' list.
func (*redoCommand) Help() string {
	return `For deletions whose end is worth nothing: Polar restored a backup, so that deleted customers are there again, or a wrong token or environment answered that there is no such customer.

They go back to waiting as if they had never been tried: all guards ask again, approvals are void, and MAX_DELETIONS_PER_HOUR counts them. A customer who was created after the event is held as recreated. Who is not at Polar ends as not_found, so export the old proof first. Dry runs, forgotten ones and those of another Polar organization are left out; those whose customer reappeared are acknowledged first.`
}

// Validate wants ids, or an outcome and since when.
func (c *redoCommand) Validate() error {
	switch many := c.Outcome != ""; {
	case many == (len(c.IDs) > 0):
		return errors.New("say which deletions: either ids, or --outcome and --since")
	case many && c.Since.IsZero():
		return errors.New("--outcome needs --since: say when the first of them finished")
	case !many && (!c.Since.IsZero() || !c.Until.IsZero()):
		return errors.New("--since and --until go with --outcome, not with ids")
	case !c.Until.IsZero() && !c.Until.After(c.Since.Time):
		return errors.New("--until must lie after --since")
	}
	return nil
}

// Run does deletions again.
func (c *redoCommand) Run(ctx context.Context, env *Env, s *session) error {
	return c.act(ctx, env, s, act{
		verb: deletion.VerbRedo, question: "Redo %s; their customers, if they are at Polar, will be deleted for good", because: string(c.Because), final: true,
		one: func(id int64) (string, error) {
			return "waits again, will be tried now with all guards", s.Redo(ctx, id, string(c.Because))
		},
		choose: func() ([]ops.Chosen, error) { return s.ChooseDone(ctx, c.Outcome, c.Since.Time, c.Until.Time) },
	})
}

type acknowledgeCommand struct {
	IDs  []int64 `arg:"" name:"id" help:"The deletions' ids."`
	JSON bool    `name:"json" help:"Print one JSON object a line."`
}

// Help is shown below the flags' list.
func (*acknowledgeCommand) Help() string {
	return `A customer who was deleted and was found again later is listed as reappeared: a checkout that was open has made them again. So is one who is gone, but whose subscription is still active (subscription_active): it may go on charging them. Look at the subscription in Polar first. Acknowledging says that you have seen it; it deletes nobody and ends nothing. If the customer or the subscription is to go, see to it in Polar's dashboard.

` + remedies(deletion.VerbAcknowledge)
}

// Run acknowledges reappeared customers.
func (c *acknowledgeCommand) Run(ctx context.Context, env *Env, s *session) error {
	return onEach(env, c.IDs, c.JSON, func(id int64) (string, error) {
		return "acknowledged: nobody is deleted, and the case is closed", s.Acknowledge(ctx, id)
	})
}

// choice says which deletions a command is about: ids, a reason, or all.
type choice struct {
	Reason   deletion.HoldReason `name:"reason" placeholder:"REASON" help:"Everything that is held for this reason."`
	All      bool                `name:"all" help:"Everything that this can be done to."`
	Provider string              `name:"provider" placeholder:"PROVIDER" help:"Of that, only what this provider told of."`
	Since    moment              `name:"since" placeholder:"WHEN" help:"Of that, only what was accepted since then: 72h, 30d, 2026-11-01 or 2026-11-01T12:00:00Z."`

	asking
}

// Validate wants exactly one way of choosing.
func (c *choice) Validate() error {
	ways := 0
	for _, used := range []bool{len(c.IDs) > 0, c.Reason != "", c.All} {
		if used {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("say which deletions: either ids, or --reason, or --all")
	}
	if len(c.IDs) > 0 && (c.Provider != "" || !c.Since.IsZero()) {
		return errors.New("--provider and --since go with --reason or --all, not with ids")
	}
	return nil
}

// validate also refuses a reason for which the verb is always refused.
func (c *choice) validate(v deletion.Verb) error {
	if err := c.Validate(); err != nil || c.Reason == "" {
		return err
	}
	var refused string
	for _, r := range deletion.Remedies() {
		switch effect := r.Of(v); {
		case r.Reason != c.Reason:
		case effect.Does != "":
			return nil
		default:
			refused = effect.Refused
		}
	}
	return fmt.Errorf("%s is refused for what is held as %s: %s", v, c.Reason, refused)
}

// remedies says what the verb does to what a human has to look at: a paragraph for
// all causes alike.
func remedies(v deletion.Verb) string {
	var sentences []string
	causes := map[string][]string{}
	for _, r := range deletion.Remedies() {
		effect := r.Of(v)
		sentence := effect.Does
		if sentence == "" {
			sentence = "refused; " + effect.Refused
		}
		if causes[sentence] == nil {
			sentences = append(sentences, sentence)
		}
		causes[sentence] = append(causes[sentence], r.Cause())
	}
	for i, sentence := range sentences {
		sentences[i] = strings.Join(causes[sentence], ", ") + ": " + sentence + "."
	}
	return strings.Join(sentences, "\n\n")
}

// asking is what commands have in common that are about ids, or ask about many
// deletions.
type asking struct {
	IDs  []int64 `arg:"" optional:"" name:"id" help:"The deletions' ids."`
	Yes  bool    `name:"yes" help:"Do not ask; needed for more than ids where there is no terminal."`
	JSON bool    `name:"json" help:"Print JSON, one object a line."`
}

// act is what is done to the chosen deletions.
type act struct {
	verb     deletion.Verb
	question string // with the number of deletions in it
	because  string
	loses    bool // what the customers lose is part of the question
	final    bool // it cannot be undone: ids are asked about too, on a terminal
	// one does it to one deletion and says what became of it.
	one func(id int64) (result string, err error)
	// choose finds the others, when no ids were given.
	choose func() ([]ops.Chosen, error)
}

func (c *choice) act(ctx context.Context, env *Env, s *session, a act) error {
	a.choose = func() ([]ops.Chosen, error) {
		return s.Choose(ctx, a.verb, ops.Filter{Reason: c.Reason, Provider: c.Provider, Since: c.Since.Time})
	}
	return c.asking.act(ctx, env, s, a)
}

// act does it to the ids or else to exactly what was there when the question was
// asked: what comes while somebody reads it was not part of it.
func (c *asking) act(ctx context.Context, env *Env, s *session, a act) error {
	if len(c.IDs) > 0 {
		if a.final && env.Stdin != nil {
			if err := env.confirm(c.Yes, fmt.Sprintf(a.question, plural(len(c.IDs), "deletion"))); err != nil {
				return err
			}
		}
		return onEach(env, c.IDs, c.JSON, a.one)
	}
	done := ops.Past(a.verb)
	chosen, err := a.choose()
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		nothing := fmt.Errorf("there is nothing to %s: see polar-bridge deletions list", a.verb)
		return errors.Join(printAs(env, c.JSON, actedOnMany{done: 0}, "0 deletions "+done), nothing)
	}
	question := fmt.Sprintf(a.question, plural(len(chosen), "deletion"))
	if a.loses {
		question += ops.Losses(chosen)
	}
	if err := env.confirm(c.Yes, question); err != nil {
		return err
	}
	count, left, err := s.Many(ctx, a.verb, chosen, a.because)
	for _, id := range left {
		fmt.Fprintf(env.Stderr, "deletion %d is left alone: it has changed since the question\n", id)
	}
	if err != nil {
		return fmt.Errorf("%s %s, then: %w", done, plural(count, "deletion"), err)
	}
	return printAs(env, c.JSON, actedOnMany{done: count}, plural(count, "deletion")+" "+done)
}

// acted is what is printed of one deletion.
type acted struct {
	ID     int64  `json:"deletion_id"` // the one that was named
	Result string `json:"result"`      // in words; refused when nothing was done
	Why    string `json:"why"`         // it was refused
}

// actedOnMany is what is printed when a command chose the deletions: their number, by
// what was done to them.
type actedOnMany map[string]int

// onEach does something to each of the deletions, says what became of it, and
// fails when one was refused. Any other error ends it.
func onEach(env *Env, ids []int64, asJSON bool, do func(id int64) (result string, err error)) error {
	refusals := 0
	for _, id := range ids {
		line := acted{ID: id}
		var err error
		line.Result, err = do(id)
		refusal, refused := errors.AsType[*ops.RefusedError](err)
		if err != nil && !refused {
			return err
		}
		if refused {
			refusals++
			fmt.Fprintf(env.Stderr, "polar-bridge: %s\n", refusal)
			if !asJSON {
				continue
			}
			line.Result, line.Why = "refused", refusal.Sentence
		}
		if err := printAs(env, asJSON, line, fmt.Sprintf("deletion %d: %s", id, line.Result)); err != nil {
			return err
		}
	}
	if refusals > 0 {
		return fmt.Errorf("%s refused", plural(refusals, "deletion"))
	}
	return nil
}

type pauseCommand struct {
	Because operatorReason `name:"because" placeholder:"TEXT" help:"Why, for those who find it paused; at most 500 bytes."`
	JSON    bool           `name:"json" help:"Print JSON."`
}

// Help is shown below the flags' list.
func (*pauseCommand) Help() string {
	return `Nothing new is tried at Polar until resume, on any server, restarted ones too. Attempts under way are finished. Webhooks are taken and stored as always.`
}

// Run pauses.
func (c *pauseCommand) Run(ctx context.Context, env *Env, s *session) error {
	changed, err := s.Pause(ctx, string(c.Because))
	if err != nil {
		return err
	}
	text := "was paused already"
	if changed {
		text = "paused"
	}
	return printAs(env, c.JSON, pauseReport{Paused: true, Changed: changed}, text)
}

// pauseReport is what is printed of a pause.
type pauseReport struct {
	Changed bool `json:"changed"` // false when it was so before
	Paused  bool `json:"paused"`  // deletions are paused now
}

type resumeCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run resumes.
func (c *resumeCommand) Run(ctx context.Context, env *Env, s *session) error {
	changed, err := s.Resume(ctx)
	if err != nil {
		return err
	}
	text := "was not paused"
	if changed {
		text = "resumed"
	}
	return printAs(env, c.JSON, pauseReport{Changed: changed}, text)
}

type forgetCommand struct {
	ExternalID externalID `name:"external-id" required:"" placeholder:"ID" help:"Whose records."`
	Yes        bool       `name:"yes" help:"Do not ask."`
	JSON       bool       `name:"json" help:"Print JSON."`
}

// Help is shown below the flags' list.
func (*forgetCommand) Help() string {
	return `Ids, errors and operators' reasons are removed from the records; what happened when, and what is needed to recognise the same event again, stays. It is refused while a deletion of that person is not finished. Logs, exports and backups are not touched, and it cannot be undone: on a terminal it asks. Export the proof first.`
}

// forgotten is what is printed of one person.
type forgotten struct {
	Records int `json:"forgotten"` // records from which everything personal was removed
}

// Run forgets one person.
func (c *forgetCommand) Run(ctx context.Context, env *Env, s *session) error {
	if env.Stdin != nil {
		err := env.confirm(c.Yes, fmt.Sprintf("Take everything personal out of the records of %q; afterwards nobody can say from them whether this person's customer was deleted", c.ExternalID))
		if err != nil {
			return err
		}
	}
	records, err := s.Forget(ctx, string(c.ExternalID))
	if err != nil {
		return err
	}
	err = printAs(env, c.JSON, forgotten{records}, plural(records, "record")+" forgotten")
	if records == 0 {
		err = errors.Join(err, errors.New("there is no record of that external id: done and cancelled deletions are kept for RETENTION only, and forgotten ones have no id any more"))
	}
	return err
}
