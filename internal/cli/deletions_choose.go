package cli

import (
	"context"
	"fmt"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// choice says which deletions a command is about: ids, a reason, or all.
type choice struct {
	IDs    []int64 `arg:"" optional:"" name:"id" help:"The deletions' ids."`
	Reason string  `name:"reason" placeholder:"REASON" help:"Everything that is held for this reason."`
	All    bool    `name:"all" help:"Everything that this can be done to."`
	Yes    bool    `name:"yes" help:"Do not ask; needed by --reason and --all where there is no terminal."`
	JSON   bool    `name:"json" help:"Print JSON, one object a line."`
}

// check wants exactly one way of choosing.
func (c *choice) check(verb ops.Verb) error {
	ways := 0
	for _, used := range []bool{len(c.IDs) > 0, c.Reason != "", c.All} {
		if used {
			ways++
		}
	}
	if ways != 1 {
		return usage("say what to %s: either ids, or --reason, or --all", verb)
	}
	_, err := holdReason("--reason", c.Reason)
	return err
}

// bulk is what is done to many deletions at once, and how the question says so.
type bulk struct {
	verb            ops.Verb
	effect, because string
}

// many does the verb to exactly what was there when the question was asked: what
// comes while somebody reads it was not part of it.
func (c *choice) many(ctx context.Context, env *Env, s *session, do bulk) error {
	verb := do.verb
	chosen, err := s.Choose(ctx, verb, deletion.HoldReason(c.Reason))
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		fmt.Fprintf(env.Stderr, "There is nothing to %s.\n", verb)
		return c.report(env, verb, 0)
	}
	if err := env.confirm(c.Yes, fmt.Sprintf("%s %s; %s", capital(string(verb)), plural(len(chosen), "deletion"), do.effect)); err != nil {
		return err
	}
	done, err := s.Many(ctx, verb, chosen, do.because)
	if err != nil {
		return fmt.Errorf("%s %s, then: %w", past(verb), plural(done, "deletion"), err)
	}
	return c.report(env, verb, done)
}

func (c *choice) report(env *Env, verb ops.Verb, done int) error {
	if c.JSON {
		return printJSON(env.Stdout, map[string]int{past(verb): done})
	}
	_, err := fmt.Fprintf(env.Stdout, "%s %s\n", plural(done, "deletion"), past(verb))
	return err
}

func past(verb ops.Verb) string {
	switch verb {
	case ops.VerbApprove:
		return "approved"
	case ops.VerbRetry:
		return "retried"
	case ops.VerbCancel:
		return "cancelled"
	}
	return string(verb)
}

func capital(word string) string { return string(word[0]-'a'+'A') + word[1:] }
