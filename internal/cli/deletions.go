package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// deletionsCommand is the group of commands for the person on call.
type deletionsCommand struct {
	List        listCommand        `cmd:"" help:"List deletions, the newest first."`
	Show        showCommand        `cmd:"" help:"Show everything that is known of one deletion."`
	Stats       statsCommand       `cmd:"" help:"Count deletions by provider, outcome and reason."`
	Retry       retryCommand       `cmd:"" help:"Try waiting or held deletions now, with all guards."`
	Approve     approveCommand     `cmd:"" help:"Let held deletions pass the guard that held them."`
	Cancel      cancelCommand      `cmd:"" help:"End waiting or held deletions without deleting anybody."`
	Acknowledge acknowledgeCommand `cmd:"" help:"Close the case of deleted customers who reappeared."`
	Pause       pauseCommand       `cmd:"" help:"Stop trying deletions, on all servers; webhooks are still taken."`
	Resume      resumeCommand      `cmd:"" help:"End a pause."`
	Export      exportCommand      `cmd:"" help:"Write the proof of erasure: one row for each finished deletion."`
	Forget      forgetCommand      `cmd:"" help:"Remove one person's data from the records of finished deletions."`

	Log config.Log `embed:"" group:"Logs"`
}

// Help is shown below the list of commands.
func (*deletionsCommand) Help() string {
	return `They work on the database that DATABASE_URL names, beside a running server. Give them the server's environment. What they do is logged to stderr and stays on the deletion, with the name of who did it.`
}

// maxReason bounds an operator's reason, in bytes.
const maxReason = 500

// session is an open database that an operator works on.
type session struct {
	*ops.Operator

	db    *database.DB
	logID func(string) string
	// digest is an id's digest, whatever LOG_EXTERNAL_ID says.
	digest func(string) string
}

// open opens the server's database. It never makes one.
func (c *deletionsCommand) open(ctx context.Context, env *Env, loader *config.Loader) (*session, error) {
	var settings config.Database
	if err := loader.Load(&settings, &c.Log); err != nil {
		return nil, err
	}
	seen, err := database.Inspect(ctx, settings.URL.Reveal(), settings.Schema)
	switch {
	case err != nil:
		return nil, err
	case seen.File != nil && !seen.File.Exists:
		return nil, fmt.Errorf("there is no SQLite file %q: set DATABASE_URL to the server's", seen.File.Path)
	case seen.Schema != nil:
		return nil, seen.Schema
	}
	db, err := database.Open(ctx, settings.URL.Reveal(), settings.Schema)
	if err != nil {
		return nil, err
	}
	s, err := c.prepare(ctx, env, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (c *deletionsCommand) prepare(ctx context.Context, env *Env, db *database.DB) (*session, error) {
	logger, err := app.NewLogger(c.Log, env.Stderr)
	if err != nil {
		return nil, err
	}
	key, err := db.DigestKey(ctx)
	if err != nil {
		return nil, err
	}
	store, err := queue.NewStore(db.Driver(), db.SQL, key, logger)
	if err != nil {
		return nil, err
	}
	s := &session{db: db, logID: queue.LogID(c.Log.ExternalID, key), digest: queue.LogID(queue.LogDigest, key)}
	s.Operator, err = ops.New(ops.Options{
		Store: store, SQL: db.SQL, DB: db.Main, Reader: db.Reader,
		Logger: logger, LogID: s.logID, Now: time.Now, By: "cli:" + env.user(),
	})
	return s, err
}

// use opens the database for the time of work.
func (c *deletionsCommand) use(ctx context.Context, env *Env, loader *config.Loader, work func(s *session) error) (err error) {
	s, err := c.open(ctx, env, loader)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	return work(s)
}

// user is who runs the command: who called sudo, or the account, or its number.
func (e *Env) user() string {
	name := strings.TrimSpace(e.Getenv("SUDO_USER"))
	if name == "" {
		account, err := user.Current()
		if err != nil {
			return "unknown"
		}
		name = account.Username
		if name == "" {
			name = account.Uid
		}
	}
	const longest = 64
	return visible(name[:min(len(name), longest)])
}

// confirm asks on a terminal whether to go on. Elsewhere only --yes will do.
func (e *Env) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if e.Stdin == nil {
		return usage("%s: add --yes, because there is no terminal to ask on", question)
	}
	fmt.Fprintf(e.Stderr, "%s? Type yes: ", question)
	answer := make([]byte, len("yes\n"))
	n, err := io.ReadAtLeast(e.Stdin, answer, len("yes"))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	if strings.TrimSpace(string(answer[:n])) != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}

// holdReason reads a word of a closed set: one that is none of it would find
// nothing, which looks like good news. "" is any reason.
func holdReason(flag, word string) (deletion.HoldReason, error) {
	reason := deletion.HoldReason(word)
	if word == "" || slices.Contains(deletion.HoldReasons(), reason) {
		return reason, nil
	}
	var all []string
	for _, r := range deletion.HoldReasons() {
		all = append(all, string(r))
	}
	return "", usage("%s: nothing is ever held as %q; choose one of %s", flag, word, strings.Join(all, ", "))
}

// stateOf reads a state. "" is any.
func stateOf(word string) (deletion.State, error) {
	state := deletion.State(word)
	if word == "" || slices.Contains(deletion.States(), state) {
		return state, nil
	}
	var all []string
	for _, s := range deletion.States() {
		all = append(all, string(s))
	}
	return "", usage("--state: no deletion is ever %q; choose one of %s", word, strings.Join(all, ", "))
}

// checkBecause refuses what would not be one readable line.
func checkBecause(reason string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return usage("--because must say why")
	case len(reason) > maxReason:
		return usage("--because must have at most %d bytes", maxReason)
	case !utf8.ValidString(reason) || strings.ContainsFunc(reason, func(r rune) bool { return !unicode.IsPrint(r) }):
		return usage("--because must be one line of printable text")
	}
	return nil
}

// since reads --since. "" is the zero time.
func since(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return when("--since", text, now)
}

// when reads a point in time: a duration before now (90m, 72h, 30d), a date or an
// RFC 3339 time.
func when(flag, text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, usage("%s must be a duration such as 72h or 30d, a date such as 2026-11-01, or a time such as 2026-11-01T12:00:00Z", flag)
}

// onEach does something to each of the deletions, says what became of it, and
// fails when one was refused. A trouble of another kind ends it.
func onEach(env *Env, ids []int64, asJSON bool, do func(id int64) (result string, err error)) error {
	refusals := 0
	for _, id := range ids {
		result, err := do(id)
		refusal := (*ops.RefusedError)(nil)
		if err != nil && !errors.As(err, &refusal) {
			return err
		}
		if refusal != nil {
			refusals++
			fmt.Fprintf(env.Stderr, "polar-bridge: %s\n", refusal)
			result = "refused"
		}
		if asJSON {
			line := acted{ID: id, Result: result}
			if refusal != nil {
				line.Why = refusal.Sentence
			}
			if err := printJSON(env.Stdout, line); err != nil {
				return err
			}
			continue
		}
		if refusal == nil {
			if _, err := fmt.Fprintf(env.Stdout, "deletion %d: %s\n", id, result); err != nil {
				return err
			}
		}
	}
	if refusals > 0 {
		return fmt.Errorf("%s refused", plural(refusals, "deletion"))
	}
	return nil
}

// acted is what became of one deletion, for scripts.
type acted struct {
	ID     int64  `json:"deletion_id"`
	Result string `json:"result"`
	Why    string `json:"why,omitempty"`
}

// printJSON prints a value as one line.
func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
