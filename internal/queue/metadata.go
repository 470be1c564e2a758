package queue

import (
	"time"

	"github.com/go-json-experiment/json"
	"github.com/riverqueue/river/rivertype"

	"github.com/polar-bridge/polar-bridge/internal/event"
)

// heldFor puts a held deletion so far into the future that River neither runs
// nor cleans it, while its console shows it.
const heldFor = 200 * 365 * 24 * time.Hour

// heldFrom is a time that only held jobs are scheduled after, as both
// dialects compare it.
const heldFrom = "'2150-01-01 00:00:00'"

// Keys of a job's metadata. They are stored and never renamed.
const (
	keyHoldReason  = "hold_reason"
	keyHeldAt      = "held_at"
	keyPolarStatus = "polar_status"
	keyAnswerLost  = "answer_lost"
	keyAnonymized  = "answer_lost_anonymized"
)

// metadata is what this package reads of a job's metadata. Rescued is River's
// own count of how often the job was taken back from a worker that died.
type metadata struct {
	AnswerLost bool `json:"answer_lost"`
	Anonymized bool `json:"answer_lost_anonymized"`
	Rescued    int  `json:"river:rescue_count"`
}

// answerLost says whether an earlier attempt may have reached Polar unseen, and
// whether it is known to have asked for anonymization.
func answerLost(job *rivertype.JobRow) (lost, anonymized bool) {
	var m metadata
	if err := json.Unmarshal(job.Metadata, &m); err != nil {
		return true, false // unreadable: claim no more than what a lost answer allows
	}
	return m.AnswerLost || m.Rescued > 0, m.Anonymized
}

func heldMetadata(reason event.HoldReason, at time.Time) []byte {
	encoded, err := json.Marshal(map[string]string{
		keyHoldReason: string(reason),
		keyHeldAt:     at.UTC().Format(time.RFC3339),
	})
	if err != nil {
		return nil // strings always encode
	}
	return encoded
}
