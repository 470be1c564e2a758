package provider_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/provider"
)

// docs is where the pages are.
const docs = "../../docs/"

// The table's columns, as the pages ask them.
const (
	askedSetting   = "setting"
	askedSigned    = "body signed?"
	askedOld       = "old requests refused?"
	askedID        = "event id signed?"
	askedReuse     = "a deleted user's id may come again?"
	askedRepeats   = "who repeats what failed, and for how long"
	askedAnswer    = "acknowledgement"
	askedTime      = "the event's time"
	askedLookalike = "what else has the type of a deletion"
)

// page is a provider's page and what it says at a glance.
type page struct {
	*provider.Spec

	text    string
	answers map[string]string
}

func readPage(t *testing.T, s *provider.Spec) page {
	t.Helper()
	text, err := os.ReadFile(docs + "providers/" + s.Name + ".md")
	require.NoError(t, err)
	p := page{s, string(text), map[string]string{}}
	_, glance, found := strings.Cut(p.text, "## At a glance\n")
	require.True(t, found, s.Name)
	glance, _, _ = strings.Cut(glance, "\n## ")
	for _, row := range regexp.MustCompile(`(?m)^\| (.*?) \| (.*) \|$`).FindAllStringSubmatch(glance, -1) {
		p.answers[row[1]] = row[2]
	}
	return p
}

// A provider's page says what the code says of it.
func TestEveryProviderHasAPage(t *testing.T) {
	t.Parallel()
	for _, s := range all() {
		p := readPage(t, s)
		for _, want := range []string{"`" + s.EnabledBy + "`", "/webhooks/" + s.Name, "## Set it up", "## What is checked", "## Retries", "## What cannot be protected against", "## Not confirmed"} {
			require.Contains(t, p.text, want, s.Name)
		}
		require.Contains(t, p.answers[askedSetting], "`"+s.EnabledBy+"`")
		require.Equal(t, s.Timestamped, says(t, p.answers[askedOld]), "%s: are old requests refused?", s.Name)
		require.Equal(t, s.SignedID, says(t, p.answers[askedID]), "%s: is the event's id signed?", s.Name)
		require.Equal(t, s.IDsReusable, says(t, p.answers[askedReuse]), "%s: may an id come again?", s.Name)
		require.Equal(t, s.AcknowledgeEmpty, p.answers[askedAnswer] == "200, empty", s.Name)
		for _, asked := range []string{askedSigned, askedRepeats, askedAnswer, askedTime, askedLookalike} {
			require.NotEmpty(t, p.answers[asked], "%s: %s", s.Name, asked)
		}
	}
}

// says reads an answer that begins with yes or no, or says that there is nothing
// to be signed but the body itself.
func says(t *testing.T, answer string) bool {
	t.Helper()
	if strings.Contains(answer, "digest of the signed body") {
		return true
	}
	require.Regexp(t, `^(yes|no|there is none; a digest of the body|the sender knows)`, answer)
	return strings.HasPrefix(answer, "yes") || answer == "the sender knows"
}

// TestTablesOfProviders fails when docs/providers.md is not what the pages say.
func TestTablesOfProviders(t *testing.T) {
	t.Parallel()
	const file = docs + "providers.md"
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	text := string(written)
	for name, columns := range map[string][]string{
		"routes": {askedSetting, askedSigned, askedOld, askedID, askedReuse, askedRepeats, askedAnswer},
		"events": {askedTime, askedLookalike},
	} {
		mark := regexp.MustCompile(`(?s)(<!-- generated [^>]*: ` + name + ` -->\n).*?(<!-- end -->)`)
		require.Regexp(t, mark, text)
		text = mark.ReplaceAllStringFunc(text, func(old string) string {
			ends := mark.FindStringSubmatch(old)
			return ends[1] + "\n" + table(t, columns) + "\n" + ends[2]
		})
	}
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		written = []byte(text)
	}
	require.Equal(t, text, string(written), "docs/providers.md is out of date: make settings")
}

func table(t *testing.T, columns []string) string {
	t.Helper()
	rows := "| route | " + strings.Join(columns, " | ") + " |\n" + strings.Repeat("|---", len(columns)+1) + "|\n"
	for _, s := range all() {
		p := readPage(t, s)
		cells := make([]string, len(columns))
		for i, asked := range columns {
			cells[i] = p.answers[asked]
		}
		rows += fmt.Sprintf("| [`%s`](providers/%s.md) | %s |\n", s.Name, s.Name, strings.Join(cells, " | "))
	}
	return rows
}
