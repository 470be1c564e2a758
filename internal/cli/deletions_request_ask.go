package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
	"github.com/polar-bridge/polar-bridge/internal/settings"
	"github.com/polar-bridge/polar-bridge/polar"
)

// candidate is a deletion that may be requested.
type candidate struct {
	ops.Request

	refused string // why it must not, "" if it may
}

// candidates are those who were named, with what the provider and the settings say
// against it.
func (c *requestCommand) candidates(ctx context.Context, env *Env, s *session, all settings.All) ([]candidate, error) {
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
	if c.Provider, err = c.chooseProvider(all, sources); err != nil {
		return nil, err
	}
	source, canAsk := sources[c.Provider]
	candidates := make([]candidate, len(ids))
	for i, id := range ids {
		candidates[i] = candidate{Request: ops.Request{Provider: c.Provider, UserID: string(c.UserID), ExternalID: id}}
		one := &candidates[i]
		if one.UserID == "" && canAsk && all.CheckReconcile(c.Provider) == nil && source.OwnsID(id) {
			one.UserID = id
		}
		if pattern := c.Work.ExternalIDPattern; pattern != nil && !pattern.MatchString(id) {
			one.refused = "it does not match EXTERNAL_ID_PATTERN"
		} else if err := polar.CheckExternalID(id); err != nil {
			one.refused = err.Error() + "; delete the customer in Polar's dashboard"
		}
	}
	if !canAsk {
		for i := range candidates { // a server may be able to
			candidates[i].AlthoughUserExists = c.Although
		}
		return candidates, nil
	}
	return candidates, c.ask(ctx, source, candidates)
}

// ask has the provider say which of the users still exist.
func (c *requestCommand) ask(ctx context.Context, source directory.Source, candidates []candidate) error {
	var userIDs []string
	for i := range candidates {
		switch one := &candidates[i]; {
		case one.refused != "":
		case one.UserID != "" && source.OwnsID(one.UserID):
			userIDs = append(userIDs, one.UserID)
		case one.UserID != "":
			one.refused = "--user-id has another form than the ids of " + c.Provider
		case c.Although:
			one.AlthoughUserExists = true
		default:
			one.refused = c.Provider + " cannot be asked whether the user still exists, because the external id is none of its ids: add --user-id, or --although-the-user-exists"
		}
	}
	existing, err := existing(ctx, source, userIDs)
	if err != nil {
		return fmt.Errorf("ask %s whether the user still exists: %w; nothing was done", c.Provider, err)
	}
	for i := range candidates {
		switch one := &candidates[i]; {
		case !existing[one.UserID]:
		case c.Although:
			one.AlthoughUserExists = true
		default:
			one.refused = "the user still exists at " + c.Provider + ": delete the user there, or add --although-the-user-exists"
		}
	}
	return nil
}

// existing says which of the users exist. Of several, those that are missing are asked
// about once more by the servers, each alone.
func existing(ctx context.Context, source directory.Source, userIDs []string) (map[string]bool, error) {
	if len(userIDs) == 1 {
		answer, err := source.IsDeleted(ctx, userIDs[0])
		return map[string]bool{userIDs[0]: !answer.Deleted}, err
	}
	all := map[string]bool{}
	for some := range slices.Chunk(userIDs, source.MaxIDs) {
		found, err := source.Existing(ctx, some)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, found)
	}
	return all, nil
}

// chooseProvider says whose user it was: as the flag says, else the only provider that
// can be asked, or the only one that is enabled.
func (c *requestCommand) chooseProvider(all settings.All, sources map[string]directory.Source) (string, error) {
	if c.Provider != "" {
		if names := all.ProviderNames(); !slices.Contains(names, c.Provider) {
			return "", usage("there is no provider %q: choose one of %s", c.Provider, strings.Join(names, ", "))
		}
		return c.Provider, nil
	}
	askable := map[string]bool{}
	for _, source := range sources {
		askable[source.Provider] = true
	}
	names := slices.Sorted(maps.Keys(askable))
	if len(names) == 0 {
		names = all.Enabled()
	}
	if len(names) != 1 {
		return "", usage("say whose user it was: add --provider (the settings name %s)", cmp.Or(strings.Join(names, ", "), "none"))
	}
	return names[0], nil
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
		var id externalID
		if err := id.UnmarshalText([]byte(line)); err != nil {
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
