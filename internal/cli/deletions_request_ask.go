package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

// candidates are those who were named, with what the provider and the settings say
// against it.
func (c *requestCommand) candidates(ctx context.Context, env *Env, s *session, all settings.All) ([]ops.Candidate, error) {
	ids, err := c.ids()
	if err != nil {
		return nil, err
	}
	sources := map[string]directory.Source{}
	if c.Directory.Confirm() {
		directories, err := app.NewDirectories(all, env.build(), time.Now, s.db)
		if err != nil {
			return nil, err
		}
		defer directories.Close() //nolint:errcheck // it was only read
		sources = directories.Sources()
	}
	checks := app.RequestChecks(all, sources)
	checks.SayProvider, checks.SayUserID, checks.SayAlthough = "add --provider", "add --user-id", "add --although-the-user-exists"
	if c.Provider, err = checks.Provider(c.Provider); err != nil {
		return nil, usage("%w", err)
	}
	requests := make([]ops.Request, len(ids))
	for i, id := range ids {
		requests[i] = ops.Request{Provider: c.Provider, UserID: string(c.UserID), ExternalID: id, AlthoughUserExists: c.Although}
	}
	return checks.Check(ctx, c.Provider, requests)
}

// maxRequested bounds a file.
const maxRequested = 10_000

// ids are those whose deletion is requested, each once.
func (c *requestCommand) ids() (ids []string, err error) {
	if c.File == "" {
		return []string{string(c.ExternalID)}, nil
	}
	file := os.Stdin
	if c.File != "-" {
		if file, err = os.Open(c.File); err != nil {
			return nil, fmt.Errorf("--file: %w", err)
		}
		defer file.Close() //nolint:errcheck // it was only read
	}
	return readIDs(file)
}

func readIDs(from io.Reader) (ids []string, err error) {
	seen := map[string]bool{}
	lines := bufio.NewScanner(from)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || seen[line] {
			continue
		}
		if err := checkExternalID(line); err != nil {
			return nil, fmt.Errorf("--file: line %d: %w; nothing was done", number, err)
		}
		if len(ids) == maxRequested {
			return nil, fmt.Errorf("--file: there are more than %d ids; nothing was done", maxRequested)
		}
		seen[line] = true
		ids = append(ids, line)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--file: %w", err)
	}
	if len(ids) == 0 {
		return nil, errors.New("--file: there is no id in it")
	}
	return ids, nil
}
