package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/user"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/binding"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// deletionsCommand is the group of commands for the person on call.
type deletionsCommand struct {
	List        listCommand        `cmd:"" help:"List deletions, the newest first."`
	Show        showCommand        `cmd:"" help:"Show everything that is known of one deletion."`
	Stats       statsCommand       `cmd:"" help:"Count deletions by provider, outcome and reason."`
	Request     requestCommand     `cmd:"" help:"Have customers deleted of whom no webhook tells: somebody wrote an e-mail."`
	Retry       retryCommand       `cmd:"" help:"Try waiting or held deletions now, with all guards."`
	Approve     approveCommand     `cmd:"" help:"Let held deletions pass the guard that held them."`
	Cancel      cancelCommand      `cmd:"" help:"End waiting or held deletions without deleting anybody."`
	Acknowledge acknowledgeCommand `cmd:"" help:"Close the case of deleted customers who reappeared, or whose subscription is still active."`
	Redo        redoCommand        `cmd:"" help:"Do finished deletions again, with all guards."`
	Pause       pauseCommand       `cmd:"" help:"Stop trying deletions, on all servers; webhooks are still taken."`
	Resume      resumeCommand      `cmd:"" help:"End a pause."`
	Export      exportCommand      `cmd:"" help:"Write the proof of erasure: one row for each finished deletion."`
	Forget      forgetCommand      `cmd:"" help:"Remove one person's data from the records of finished deletions."`

	operatorFlag

	Log config.Log `embed:"" group:"Logs"`

	session *session // the running command's
}

// Help is shown below the list of commands.
func (*deletionsCommand) Help() string {
	return `They work on the database that DATABASE_URL names, beside a running server. Give them the server's environment. What they do is logged to stderr and stays on the deletion, with the name of who did it.`
}

// ProvideSession opens the database for a command that asks kong for a session.
func (c *deletionsCommand) ProvideSession(ctx context.Context, env *Env, loader *config.Loader) (s *session, err error) {
	var database config.Database
	if err := loader.Load(&database, &c.Log); err != nil {
		return nil, err
	}
	c.session, err = openSession(ctx, env, database, c.Log, c.By)
	return c.session, err
}

// AfterRun closes it.
func (c *deletionsCommand) AfterRun() error {
	if c.session == nil {
		return nil
	}
	return c.session.db.Close()
}

// session is an open database that an operator works on.
type session struct {
	*ops.Operator

	db       *database.DB
	seen     database.Inspection
	key      []byte // of digests
	bindings *binding.Store
	logger   *zap.Logger
}

// openSession opens the server's database for an operator, by default whoever runs the
// command. It never makes a database.
func openSession(ctx context.Context, env *Env, settings config.Database, log config.Log, by operatorName) (s *session, err error) {
	seen, err := database.Inspect(ctx, settings.Address(), settings.Schema)
	switch {
	case err != nil:
		return nil, err
	case seen.File != nil && !seen.File.Exists:
		return nil, fmt.Errorf("there is no SQLite file %q: set DATABASE_URL to the server's", seen.File.Path)
	case seen.Schema != nil:
		return nil, seen.Schema
	}
	db, err := database.Open(ctx, settings.Address(), settings.Schema)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	logger, err := app.NewLogger(log, env.Stderr)
	if err != nil {
		return nil, err
	}
	key, err := db.DigestKey(ctx)
	if err != nil {
		return nil, err
	}
	bindings, err := binding.NewStore(db.Main, db.SQL)
	if err != nil {
		return nil, err
	}
	active, err := bindings.Active(ctx, db.Reader)
	if err != nil {
		return nil, err
	}
	store, err := queue.NewStore(db.Driver(), db.SQL, key, func() int64 { return active }, logger)
	if err != nil {
		return nil, err
	}
	operator, err := ops.New(ops.Options{
		Store: store, Bindings: bindings, SQL: db.SQL, DB: db.Main, Reader: db.Reader,
		Logger: logger, LogID: queue.LogID(log.ExternalID, key), Now: time.Now, By: "cli:" + cmp.Or(string(by), env.user()),
	})
	if err != nil {
		return nil, err
	}
	return &session{operator, db, seen, key, bindings, logger}, nil
}

// operatorFlag lets whoever runs a command say who they are.
type operatorFlag struct {
	By operatorName `name:"by" placeholder:"NAME" help:"Who you are, for those who ask later. Else it is POLAR_BRIDGE_OPERATOR, who called sudo, or the account."`
}

// user is who runs the command: who they say they are, who called sudo, or the account,
// or its number. The image's account is nobody in particular.
func (e *Env) user() string {
	const imagesAccount = "nonroot"
	name := cmp.Or(strings.TrimSpace(e.Getenv("POLAR_BRIDGE_OPERATOR")), strings.TrimSpace(e.Getenv("SUDO_USER")))
	if name == "" {
		account, err := user.Current()
		if err != nil || account.Username == imagesAccount {
			return "unnamed"
		}
		name = cmp.Or(account.Username, account.Uid)
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
	answer := ""
	if _, err := fmt.Fscanln(e.Stdin, &answer); err != nil || answer != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}
