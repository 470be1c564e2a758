package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

const (
	// maxChosen is how many deletions one question may be about.
	maxChosen = 10_000
	// shownAtMost is how many of them are shown one by one.
	shownAtMost = 25
	// actTimeout bounds carrying them out.
	actTimeout = 5 * time.Minute
)

// verbs are what the console does.
func verbs() []deletion.Verb {
	return []deletion.Verb{deletion.VerbApprove, deletion.VerbRetry, deletion.VerbCancel, deletion.VerbAcknowledge}
}

// choose turns what was ticked, or everything that a list's filter has, into a question.
func (c *console) choose(v *visit) error {
	verb := deletion.Verb(v.PostForm.Get("verb"))
	if !slices.Contains(verbs(), verb) {
		return invalid("Choose what is to be done.")
	}
	asked := &question{Verb: verb, Back: listPath + v.PostForm.Get("filter")}
	var err error
	if v.PostForm.Get("which") == "all" {
		err = c.chooseAll(v, asked)
	} else {
		err = c.chooseTicked(v, asked)
	}
	if err != nil {
		return err
	}
	if len(asked.Chosen) == 0 {
		return invalid("There is nothing to %s among them.", verb)
	}
	var ids []int64
	for _, one := range asked.Chosen[:min(len(asked.Chosen), shownAtMost)] {
		ids = append(ids, one.ID)
	}
	if asked.Shown, err = c.options.Operator.Records(v.Context(), ids); err != nil {
		return err
	}
	http.Redirect(v.w, v.Request, "/ui/questions/"+c.questions.ask(asked), http.StatusSeeOther)
	return nil
}

func (c *console) chooseAll(v *visit, asked *question) error {
	query, err := url.ParseQuery(v.PostForm.Get("filter"))
	if err != nil {
		return invalid("The filter cannot be read.")
	}
	form, err := c.readFilter(query)
	if err != nil {
		return err
	}
	filter := form.filter
	filter.Limit = maxChosen + 1
	asked.Chosen, err = c.options.Operator.Choose(v.Context(), asked.Verb, filter)
	asked.More, asked.Filter = len(asked.Chosen) > maxChosen, form.String()
	asked.Chosen = asked.Chosen[:min(len(asked.Chosen), maxChosen)]
	return err
}

func (c *console) chooseTicked(v *visit, asked *question) error {
	ids := make([]int64, 0, len(v.PostForm["id"]))
	for _, text := range v.PostForm["id"] {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return invalid("%q is no deletion.", text)
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		return invalid("Tick the deletions first.")
	}
	var err error
	asked.Chosen, asked.Others, err = c.options.Operator.ChooseIDs(v.Context(), asked.Verb, ids)
	return err
}

func (c *console) showQuestion(v *visit) error {
	asked, err := c.questions.find(v.PathValue("token"))
	if err != nil {
		return err
	}
	if asked.answer != nil {
		return c.render(v, http.StatusOK, "answered", "Done", asked.answer)
	}
	return c.renderQuestion(v, http.StatusOK, asked, "")
}

// questionPage is a question, and why its answer was not taken.
type questionPage struct {
	*question

	Problem, Because string
}

func (c *console) renderQuestion(v *visit, status int, asked *question, problem string) error {
	title := "Request a deletion"
	if asked.Request == nil {
		title = titled(asked.Verb)
	}
	return c.render(v, status, "question", title, questionPage{asked, problem, v.PostForm.Get("because")})
}

func titled(verb deletion.Verb) string { return strings.ToUpper(string(verb[:1])) + string(verb[1:]) }

// Losses are what all of them would end.
func (q *question) Losses() string { return ops.Losses(q.Chosen) }

// Consequence says in a sentence what will happen.
func (q *question) Consequence() string {
	happens := map[deletion.Verb]string{
		deletion.VerbApprove:     " will pass the guard that held each, and then the customers are deleted at Polar for good, and their subscriptions end. This cannot be undone.",
		deletion.VerbRetry:       " will be tried now, with all guards; customers whom no guard protects are deleted at Polar for good. This cannot be undone.",
		deletion.VerbCancel:      " will never be tried: nobody is deleted, and a customer who has left may go on being charged. This cannot be undone.",
		deletion.VerbAcknowledge: ": the case is closed, which deletes nobody and ends no subscription at Polar. This cannot be undone.",
		deletion.VerbRedo:        "", // not done here
	}[q.Verb]
	if happens == "" {
		return "The deletion goes into the queue, and unless a guard holds it, the customer is deleted at Polar for good, and their subscriptions end. This cannot be undone."
	}
	return ops.Plural(len(q.Chosen), "deletion") + happens
}

// NeedsReason says whether the question asks why.
func (q *question) NeedsReason() bool { return q.Verb == deletion.VerbCancel || q.Request != nil }

// answerQuestion does exactly what was asked, once the number was typed.
func (c *console) answerQuestion(v *visit) error {
	asked, err := c.questions.find(v.PathValue("token"))
	if err != nil {
		return err
	}
	reason := strings.TrimSpace(v.PostFormValue("because"))
	if asked.NeedsReason() {
		if err := ops.CheckReason(reason); err != nil {
			return c.renderQuestion(v, http.StatusBadRequest, asked, "Nothing was done: the reason "+err.Error()+".")
		}
	}
	if n := len(asked.Chosen); n > 1 && strings.TrimSpace(v.PostFormValue("number")) != strconv.Itoa(n) {
		return c.renderQuestion(v, http.StatusBadRequest, asked, fmt.Sprintf("Nothing was done: type the number %d to %s %d deletions.", n, asked.Verb, n))
	}
	// Whoever answered may go away: what they said is done.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.Context()), actTimeout)
	defer cancel()
	_ = http.NewResponseController(v.w).SetWriteDeadline(c.options.Now().Add(actTimeout)) // else the answer may be cut off, and can be looked at again
	done := asked.carryOut(func() *answer {
		if asked.Request != nil {
			return c.request(ctx, v, asked, reason)
		}
		return c.act(ctx, v, asked, reason)
	})
	status := http.StatusOK
	if done.Done == 0 {
		status = http.StatusConflict
	}
	return c.render(v, status, "answered", "Done", done)
}

func (c *console) act(ctx context.Context, v *visit, asked *question, reason string) *answer {
	done := &answer{Question: asked}
	var err error
	done.Done, done.LeftIDs, err = c.operator(v).Many(ctx, asked.Verb, asked.Chosen, reason)
	if err != nil {
		done.Problem = c.problem(v, err)
	}
	slices.Sort(done.LeftIDs)
	if done.Left, err = c.options.Operator.Records(ctx, done.LeftIDs[:min(len(done.LeftIDs), shownAtMost)]); err != nil {
		done.Problem = c.problem(v, err)
	}
	return done
}
