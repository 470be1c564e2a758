package provider_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The table and the pages say what the code says of itself.
func TestTheDocumentationKnowsEveryProvider(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("../../docs/providers.md")
	require.NoError(t, err)
	for _, e := range all() {
		row := regexp.MustCompile("(?m)^\\| \\[`" + e.Name + "`\\]\\(providers/" + e.Name + "\\.md\\) \\|(.*)\\|$").FindStringSubmatch(string(table))
		require.NotNil(t, row, "docs/providers.md has no row with a link for %s", e.Name)
		cells := strings.Split(row[1], "|")
		require.Len(t, cells, 7, e.Name)
		require.Contains(t, cells[0], "`"+e.EnabledBy+"`")
		require.Equal(t, e.Timestamped, says(t, cells[2]), "%s: are old requests refused?", e.Name)
		require.Equal(t, e.SignedID, says(t, cells[3]), "%s: is the event's id signed?", e.Name)
		require.Equal(t, e.IDsReusable, says(t, cells[4]), "%s: may an id come again?", e.Name)

		page, err := os.ReadFile("../../docs/providers/" + e.Name + ".md")
		require.NoError(t, err)
		for _, want := range []string{"`" + e.EnabledBy + "`", "/webhooks/" + e.Name, "## Set it up", "## What is checked", "## Retries", "## What cannot be protected against", "## Not confirmed"} {
			require.Contains(t, string(page), want, "docs/providers/%s.md", e.Name)
		}
	}
	require.Regexp(t, `(?s)## Add one in five steps.*\n1\. .*\n2\. .*\n3\. .*\n4\. .*\n5\. `, string(table))
}

// says reads a cell that begins with yes or no, or says that there is nothing
// to be signed but the body itself.
func says(t *testing.T, cell string) bool {
	t.Helper()
	cell = strings.TrimSpace(cell)
	if strings.Contains(cell, "digest of the signed body") {
		return true
	}
	require.Regexp(t, `^(yes|no|there is none; a digest of the body|the sender knows)`, cell)
	return strings.HasPrefix(cell, "yes") || cell == "the sender knows"
}
