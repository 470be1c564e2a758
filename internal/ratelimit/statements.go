package ratelimit

import "embed"

//go:embed sql
var statementFiles embed.FS

// statements are the limiter's SQL, as it stands in sql.
type statements struct {
	MakeRow, Lock, Look, Take, Charge, Pause, CountFailure, PauseAfterFailures, PauseAfterProbe, Reset string
}
