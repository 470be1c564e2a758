package console

import (
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

func (c *console) showPause(v *visit) error {
	paused, err := c.options.Operator.Paused(v.Context())
	if err != nil {
		return err
	}
	title := "Pause"
	if paused.Paused {
		title = "Resume"
	}
	return c.render(v, http.StatusOK, "pause", title, paused)
}

// pause pauses or resumes, as the form said that it would: somebody else may have done
// it meanwhile.
func (c *console) pause(v *visit) error {
	because := strings.TrimSpace(v.PostFormValue("because"))
	var changed bool
	var err error
	switch wanted := v.PostFormValue("wanted"); wanted {
	case "pause":
		if err := ops.CheckReason(because); err != nil {
			return invalid("Nothing was paused: the reason %s.", err)
		}
		changed, err = c.operator(v).Pause(v.Context(), because)
	case "resume":
		changed, err = c.operator(v).Resume(v.Context())
	default:
		return invalid("Say whether to pause or to resume.")
	}
	if err != nil {
		return err
	}
	if !changed {
		return &ops.RefusedError{Sentence: "somebody else has done it already: nothing was changed"}
	}
	http.Redirect(v.w, v.Request, "/ui/", http.StatusSeeOther)
	return nil
}

// problem is what people are told of an error that came while something was done.
func (c *console) problem(v *visit, err error) string {
	c.options.Logger.Error("console action failed", zap.String("route", v.Pattern), zap.String("by", "console:"+v.name), zap.Error(err))
	return "It ended early, and the server's log says why: look at what was done before you do it again."
}
