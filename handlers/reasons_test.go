package handlers_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// TestTheRunbookHoldsEveryReason looks for the constants in the code, so that a
// new reason cannot be forgotten.
func TestTheRunbookHoldsEveryReason(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/runbook.md")
	require.NoError(t, err)
	constant := regexp.MustCompile(`(?m)^(?:const)?\s+(?:[rR]eason|Hold|Ignore|Wait|Retry|Pause)[A-Z]\w*(?: +\w+)? += "([a-z_0-9]+)"`)
	var refusals []fault.Reason
	for _, root := range []string{"../internal", "../handlers", "../polar", "../metrics"} {
		require.NoError(t, fs.WalkDir(os.DirFS(root), ".", func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(root + "/" + path)
			for _, found := range constant.FindAllStringSubmatch(string(source), -1) {
				// Not with require.Contains, which would print the whole page.
				require.True(t, strings.Contains(string(page), "`"+found[1]+"`"), "docs/runbook.md says nothing of the reason %s", found[1]) //nolint:testifylint // see above
				if path == "fault/fault.go" {
					refusals = append(refusals, fault.Reason(found[1]))
				}
			}
			return err
		}))
	}
	require.Contains(t, refusals, fault.ReasonFuture, "the constants are found")
}
