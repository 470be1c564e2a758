package cli_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// verbs are those whose effect depends on the cause.
func verbs() []deletion.Verb {
	return []deletion.Verb{deletion.VerbApprove, deletion.VerbRetry, deletion.VerbAcknowledge}
}

const runbook = "../../docs/runbook.md"

func TestRemediesCoverEveryReason(t *testing.T) {
	t.Parallel()
	seen := make(map[deletion.HoldReason]int)
	for _, r := range deletion.Remedies() {
		seen[r.Reason]++
		possible := 0
		for _, v := range verbs() {
			effect := r.Of(v)
			require.NotEqual(t, effect.Does == "", effect.Refused == "", "%s of %s either does something or says why not", v, r.Cause())
			if effect.Does != "" {
				possible++
			}
		}
		require.Equal(t, r.State == deletion.StateReappeared, r.Acknowledge.Does != "", r.Cause())
		require.Equal(t, r, deletion.RemedyFor(r.State, r.Reason, r.ByLookup))
	}
	for _, reason := range deletion.HoldReasons() {
		require.Positive(t, seen[reason], reason)
	}
	require.Len(t, seen, len(deletion.HoldReasons())+1, "and reappeared")
	require.Zero(t, deletion.RemedyFor(deletion.StateWaiting, "", false))
}

// TestTablesOfTheRunbook fails when the runbook's table of what commands do is not
// what they do.
func TestTablesOfTheRunbook(t *testing.T) {
	t.Parallel()
	written, err := os.ReadFile(runbook)
	require.NoError(t, err)
	mark := regexp.MustCompile(`(?s)(<!-- generated [^>]*: remedies -->\n).*?(<!-- end -->)`)
	require.Regexp(t, mark, string(written))
	table := "| reason | approve | retry | acknowledge |\n|---|---|---|---|\n"
	for _, r := range deletion.Remedies() {
		table += "| `" + r.Cause() + "` |"
		for _, v := range verbs() {
			does := r.Of(v).Does
			if does == "" {
				does = "refused"
			}
			table += " " + does + " |"
		}
		table += "\n"
	}
	text := mark.ReplaceAllString(string(written), "${1}\n"+table+"\n${2}")
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(runbook, []byte(text), 0o644))
		written = []byte(text)
	}
	require.Equal(t, text, string(written), "docs/runbook.md is out of date: make settings")
}

// What the runbook advises for a reason is something that can be done.
func TestTheRunbookAdvisesWhatCanBeDone(t *testing.T) {
	t.Parallel()
	written, err := os.ReadFile(runbook)
	require.NoError(t, err)
	_, section, found := strings.Cut(string(written), "\n## PolarBridgeDeletionHeld\n")
	require.True(t, found)
	section, _, found = strings.Cut(section, "<!-- generated")
	require.True(t, found)
	var advised []deletion.HoldReason
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| .* \\| (.*) \\|$").FindAllStringSubmatch(section, -1) {
		reason, advice := deletion.HoldReason(row[1]), row[2]
		advised = append(advised, reason)
		ways := "cancel"
		for _, r := range deletion.Remedies() {
			for _, v := range verbs() {
				if r.Reason == reason && r.Of(v).Does != "" {
					ways += " " + string(v)
				}
			}
		}
		for _, named := range regexp.MustCompile("`(approve|retry|cancel|acknowledge|redo)\\b").FindAllStringSubmatch(advice, -1) {
			require.Contains(t, strings.Fields(ways), named[1], "the runbook's advice for %s", reason)
		}
	}
	require.ElementsMatch(t, deletion.HoldReasons(), advised)
}

func TestTheHelpSaysWhatACommandDoesForEachReason(t *testing.T) {
	t.Parallel()
	for _, v := range verbs() {
		help := " " + strings.Join(strings.Fields(run(t, settings(), "deletions", string(v), "--help").stdout), " ")
		for _, r := range deletion.Remedies() {
			want := r.Of(v).Does
			if want == "" {
				want = "refused; " + r.Of(v).Refused
			}
			require.Regexp(t, "[ ,]"+regexp.QuoteMeta(r.Cause())+`(, [a-z_ ]+)*: `+regexp.QuoteMeta(want)+`\.`, help, "deletions %s --help", v)
		}
	}
}

// A reason for which a command does nothing is refused before anybody is asked.
func TestACommandRefusesTheReasonsForWhichItDoesNothing(t *testing.T) {
	t.Parallel()
	for _, v := range []deletion.Verb{deletion.VerbApprove, deletion.VerbRetry} {
		for _, reason := range deletion.HoldReasons() {
			possible := slices.ContainsFunc(deletion.Remedies(), func(r deletion.Remedy) bool { return r.Reason == reason && r.Of(v).Does != "" })
			got := run(t, settings(), "deletions", string(v), "--reason", string(reason), "--yes")
			require.Equal(t, !possible, strings.Contains(got.stderr, fmt.Sprintf("%s is refused for what is held as %s: ", v, reason)), "%s %s: %s", v, reason, got.stderr)
		}
	}
}
