package deletion

import (
	"fmt"

	"github.com/polar-bridge/polar-bridge/polar"
)

// refusalError says how Polar answered, for the log and the job's record.
type refusalError struct{ answer polar.Answer }

// refusal makes an error of an answer that is not a success.
func refusal(answer polar.Answer) error { return refusalError{answer} }

// Error implements error.
func (e refusalError) Error() string {
	text := fmt.Sprintf("polar answered %d", e.answer.StatusCode)
	if e.answer.ErrorCode != "" {
		text += " " + e.answer.ErrorCode
	}
	if e.answer.RequestID != "" {
		text += " (request " + e.answer.RequestID + ")"
	}
	return text
}
