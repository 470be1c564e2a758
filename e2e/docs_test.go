package e2e_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheListOfFaultTestsNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("../docs/fault-tests.md")
	require.NoError(t, err)
	var code strings.Builder
	require.NoError(t, fs.WalkDir(os.DirFS(".."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile("../" + path)
		code.Write(content)
		return err
	}))
	names := regexp.MustCompile(`\b(Test|Fuzz)[A-Z]\w+`).FindAllString(string(list), -1)
	require.Greater(t, len(names), 30)
	for _, name := range names {
		require.Contains(t, code.String(), "\nfunc "+name+"(", "named in docs/fault-tests.md")
	}
}
