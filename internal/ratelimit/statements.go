package ratelimit

import (
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// statements are the limiter's SQL, the same for both dialects but for the
// clock. In all of them $1 is the row's name and $2 the time, null for the
// database's own; $3 and what follows is said at each.
type statements struct {
	lock, look, take, charge, pause, fail, failProbe, reset string
}

func newStatements(serverClock bool) statements {
	clock := "(SELECT CAST($2 AS bigint) AS now) AS clock"
	lock := ""
	if serverClock {
		lock = "SELECT 1 FROM polar_bridge_rate_limit WHERE name = $1 FOR UPDATE"
		clock = "(SELECT coalesce($2, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS now) AS clock"
	}
	expand := strings.NewReplacer(
		"{clock}", clock,
		// A pause needs a probe to end, so that one request goes alone.
		"{probing}", "reason IN ('"+string(deletion.WaitUnauthorized)+"', '"+string(deletion.WaitUnexpected)+"', '"+string(deletion.WaitOutage)+"')",
		// Times beyond these bounds come from a clock that stepped back, and
		// count as past.
		"{blocked}", "(blocked_until > clock.now AND blocked_until <= clock.now + $3)",
		// A sweep that is due too far ahead is none that this program set.
		"{sweeping}", "CAST($9 AS bigint) > 0",
		"{swept}", "(sweep_due > clock.now AND sweep_due <= clock.now + CAST($9 AS bigint))",
		"{early}", "(tat > clock.now + $7 AND tat <= clock.now + $4 + $5)",
		// Until $4 from now, or longer where it is blocked for longer.
		"{later}", "CASE WHEN blocked_until > clock.now + $4 AND blocked_until <= clock.now + $3 THEN blocked_until ELSE clock.now + $4 END",
		"{outage}", string(deletion.WaitOutage),
	).Replace
	// $3 longest pause, $4 gap, $5 threshold.
	fail := `UPDATE polar_bridge_rate_limit SET
		blocked_until = {end},
		reason = CASE WHEN {probing} OR {blocked} THEN reason ELSE '{outage}' END
		FROM {clock} WHERE name = $1 AND ({probing} OR failures >= $5)`
	return statements{
		lock: lock,
		look: expand(`SELECT clock.now, tat, blocked_until, reason, failures, sweep_due
			FROM polar_bridge_rate_limit, {clock} WHERE name = $1`),
		// $3 longest pause, $4 tolerance, $5 interval, $6 a probe's lease; for all
		// that is taken at once $7 tolerance and $8 interval; $9 the interval of
		// sweeps for one of them, else 0.
		take: expand(`UPDATE polar_bridge_rate_limit SET
			tat = CASE WHEN tat > clock.now AND tat <= clock.now + $4 THEN tat ELSE clock.now END + $8,
			blocked_until = CASE WHEN {probing} THEN clock.now + $6 ELSE 0 END,
			reason = CASE WHEN {probing} THEN reason ELSE '' END,
			sweep_due = CASE WHEN {sweeping} THEN clock.now + CAST($9 AS bigint) ELSE sweep_due END
			FROM {clock} WHERE name = $1 AND NOT {blocked} AND NOT {early} AND NOT ({sweeping} AND {swept})
			RETURNING 0, tat, blocked_until, reason, failures, sweep_due`),
		// $3 tolerance, $4 interval.
		charge: expand(`UPDATE polar_bridge_rate_limit SET
			tat = CASE WHEN tat <= clock.now THEN clock.now + $4 WHEN tat <= clock.now + $3 THEN tat + $4 ELSE tat END
			FROM {clock} WHERE name = $1`),
		// $3 longest pause, $4 pause, $5 reason.
		pause: expand(`UPDATE polar_bridge_rate_limit SET
			blocked_until = {later}, reason = $5, failures = 0
			FROM {clock} WHERE name = $1`),
		fail: expand(strings.Replace(fail, "{end}", "{later}", 1)),
		// The end of a probe's own lease is not a pause to be kept.
		failProbe: expand(strings.Replace(fail, "{end}", "clock.now + $4", 1)),
		// $2 is the reason here: only what was seen when the permit was acquired is
		// reset; a pause that began since then is younger than the answer.
		reset: `UPDATE polar_bridge_rate_limit SET failures = 0, blocked_until = 0, reason = '' WHERE name = $1 AND reason = $2`,
	}
}
