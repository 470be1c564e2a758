package console

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// requestForm is a deletion by hand as it was typed.
type requestForm struct {
	ExternalID, UserID, Provider string
	Although                     bool
	Problem                      string
}

func (c *console) showRequest(v *visit) error {
	return c.renderRequest(v, http.StatusOK, requestForm{ExternalID: v.URL.Query().Get("external_id")})
}

func (c *console) renderRequest(v *visit, status int, f requestForm) error {
	return c.render(v, status, "request", "Request a deletion", f)
}

// checkRequest finds out what speaks against it, as the command does, and asks.
func (c *console) checkRequest(v *visit) error {
	f := requestForm{
		ExternalID: strings.TrimSpace(v.PostFormValue("external_id")), UserID: strings.TrimSpace(v.PostFormValue("user_id")),
		Provider: v.PostFormValue("provider"), Although: v.PostFormValue("although") != "",
	}
	asked, err := c.askRequest(v.Context(), f)
	if refusal, ok := errors.AsType[*ops.RefusedError](err); ok {
		f.Problem = refusal.Sentence
		return c.renderRequest(v, http.StatusConflict, f)
	}
	if err != nil {
		return err
	}
	http.Redirect(v.w, v.Request, "/ui/questions/"+c.questions.ask(asked), http.StatusSeeOther)
	return nil
}

// askRequest is the question about the request, or a RefusedError that says what speaks
// against it.
func (c *console) askRequest(ctx context.Context, f requestForm) (*question, error) {
	if err := deletion.CheckExternalID(f.ExternalID); err != nil {
		return nil, &ops.RefusedError{Sentence: "No deletion can have that external id: " + err.Error() + "."}
	}
	if err := deletion.CheckExternalID(f.UserID); f.UserID != "" && err != nil {
		return nil, &ops.RefusedError{Sentence: "No user can have that id: " + err.Error() + "."}
	}
	status, err := c.options.Status(ctx)
	if err != nil {
		return nil, err
	}
	if status.OtherOrganization {
		return nil, &ops.RefusedError{Sentence: "The database belongs to another Polar organization than POLAR_ACCESS_TOKEN: nothing is put into its queue."}
	}
	checks := c.options.Checks
	checks.SayProvider, checks.SayUserID, checks.SayAlthough = "choose the provider", "fill in the user's id", "tick “although the user exists”"
	if f.Provider, err = checks.Provider(f.Provider); err != nil {
		return nil, err
	}
	candidates, err := checks.Check(ctx, f.Provider, []ops.Request{{Provider: f.Provider, UserID: f.UserID, ExternalID: f.ExternalID, AlthoughUserExists: f.Although}})
	if err != nil { // the provider gave no clear answer
		return nil, &ops.RefusedError{Sentence: err.Error()}
	}
	if refused := candidates[0].Refused; refused != "" {
		return nil, &ops.RefusedError{Sentence: refused}
	}
	request := candidates[0].Request
	left, err := c.options.Operator.Acceptor(c.options.DryRun).LeftAloneOnRequest(ctx, []ops.Request{request})
	if err != nil {
		return nil, err
	}
	if by := left[0].LeftAloneBy(); by != "" {
		return nil, &ops.RefusedError{Sentence: "The customer is left alone: " + by + "."}
	}
	return &question{Request: &request, Back: "/ui/request", AtPolar: ops.AtPolar(ctx, c.options.Polar, c.options.Limiter, f.ExternalID)}, nil
}

func (c *console) request(ctx context.Context, v *visit, asked *question, reason string) *answer {
	done := &answer{Question: asked}
	all, err := c.operator(v).Acceptor(c.options.DryRun).Request(ctx, []ops.Request{*asked.Request}, reason)
	if err != nil {
		done.Problem = c.problem(v, err)
		return done
	}
	done.Requested = &all[0]
	if all[0].LeftAlone.State == "" {
		done.Done = 1
	}
	return done
}
