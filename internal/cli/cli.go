// Package cli is the command line: one file per subcommand. Data goes to
// stdout, diagnostics to stderr; the exit code is 0 for ok, 1 for failure, 2 for
// wrong usage, and 3 where that was asked for and something was found.
//
// It must not know how anything is done; it starts those who do.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/willabides/kongplete"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/authdatabase"
	"github.com/polar-bridge/polar-bridge/internal/directory"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// Env is what is outside of the program.
type Env struct {
	// Args are the arguments without the program's name.
	Args []string
	// Getenv returns an environment variable, "" when it is not set.
	Getenv func(string) string
	// Environ returns all environment variables as NAME=value; nil when they are
	// not known.
	Environ func() []string
	// ReadFile reads a secret's file.
	ReadFile       func(string) ([]byte, error)
	Stdout, Stderr io.Writer
	// Stdin is where people answer questions; nil when that is no terminal.
	Stdin io.Reader
	// Reread returns the signals that ask to read the files of secrets again, and
	// what ends their coming; nil when there are none. Until it is called they do
	// what they do to any program.
	Reread func() (signals <-chan os.Signal, stop func())
	// Version and Revision say what was built; Revision "unknown" is looked up.
	Version, Revision string
}

// commands is the command line as kong reads it.
type commands struct {
	EnvFile      string      `name:"env-file" placeholder:"PATH" help:"Take variables that are not set from this file of lines NAME=value. None is read unasked."`
	PrintVersion versionFlag `name:"version" help:"Print the version."`

	Serve       serveCommand       `cmd:"" help:"Take webhooks and delete customers at Polar."`
	Demo        demoCommand        `cmd:"" help:"Show the whole way on this machine, with a local Polar: no account needed."`
	Send        sendCommand        `cmd:"" help:"Sign one deletion as an identity provider would and post it to a running server."`
	Selftest    selftestCommand    `cmd:"" help:"Prove the whole way: make a customer at Polar, and have a server delete it."`
	Doctor      doctorCommand      `cmd:"" help:"Look at everything that serve needs and say what to do about each fault."`
	Deletions   deletionsCommand   `cmd:"" help:"Look at deletions and act on them: list, show, approve, cancel, export and more."`
	Reconcile   reconcileCommand   `cmd:"" help:"Find customers at Polar whose user is gone, because a webhook got lost."`
	Outbox      outboxCommand      `cmd:"" help:"Have deletions come from the auth system's own database: SQL for it, and a check."`
	Rebind      rebindCommand      `cmd:"" help:"Make the database belong to another Polar organization."`
	Migrate     migrateCommand     `cmd:"" help:"Bring the database's tables up to date."`
	Backup      backupCommand      `cmd:"" help:"Copy the SQLite database into a file, beside a running server."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask a running server whether it is ready."`
	Completion  completionCommand  `cmd:"" help:"Print the completion for a shell."`
	Man         manCommand         `cmd:"" help:"Print the manual page."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// Help is shown below the list of commands.
func (*commands) Help() string {
	return `Begin with polar-bridge demo, which needs no account. Then set POLAR_ACCESS_TOKEN and the secret of your identity provider's webhook, and run polar-bridge doctor, serve and selftest.`
}

// newCommands gives the commands that need them the settings of the providers.
func newCommands(providers provider.Registry) *commands {
	settings := providers.Settings()
	c := &commands{}
	c.Serve.Config.Providers = settings
	c.Doctor.Config.Providers = settings
	c.Reconcile.Config.Providers = settings
	c.Deletions.Request.Providers = settings
	c.Send.Providers = settings
	c.Selftest.Providers = settings
	return c
}

// usageError is a command line that makes no sense.
type usageError struct{ error }

// Unwrap lets errors.Is see through.
func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Run runs the command that env.Args names and returns the exit code.
func Run(ctx context.Context, env Env) int {
	if err := env.readEnvFile(); err != nil {
		return report(env, err)
	}
	loader := config.NewLoader(config.Env{Getenv: env.Getenv, Names: env.names, ReadFile: env.ReadFile})
	providers := provider.All(provider.Options{Now: time.Now})
	exited := -1
	parser, err := newParser(&env, loader, providers, kong.Exit(func(code int) { exited = code }))
	if err != nil {
		return report(env, err)
	}
	// A shell asks for completions with COMP_LINE set.
	kongplete.Complete(parser, kongplete.WithExitFunc(func(code int) { exited = code }))
	if exited >= 0 {
		return exited
	}
	command, err := parser.Parse(asFlags(env.Args))
	if exited >= 0 { // help was asked for and printed
		return exited
	}
	if err != nil {
		return report(env, usageError{cmp.Or(secretFlag(env.Args, providers), err)})
	}
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(&env, loader, providers) // which may change env
	return report(env, err)
}

// newParser returns the program's grammar.
func newParser(env *Env, loader *config.Loader, providers provider.Registry, exit kong.Option) (*kong.Kong, error) {
	return kong.New(newCommands(providers), append(append(loader.Options(), flagTypes()...),
		kong.Name("polar-bridge"),
		kong.Description("When a user is deleted at the identity provider, the customer at Polar goes too: once, surely, provably."),
		kong.Vars{"askable": strings.Join(append([]string{directory.ProviderClerk, directory.ProviderAuth0}, authdatabase.Providers()...), ",")},
		kong.Writers(env.Stdout, env.Stderr),
		kong.Bind(env),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), exit,
	)...)
}

// asFlags turns what people type to be helped into what it means: nothing at all, and
// "help" before a command.
func asFlags(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	}
	return args
}

// names returns the names of all environment variables.
func (e *Env) names() []string {
	if e.Environ == nil {
		return nil
	}
	var names []string
	for _, variable := range e.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		names = append(names, name)
	}
	return names
}

// report prints an error for people and returns the exit code.
func report(env Env, err error) int {
	if err == nil {
		return exitOK
	}
	if code := exitError(0); errors.As(err, &code) {
		return int(code)
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(env.Stderr, "polar-bridge: %s\n", line)
	}
	if invalid := (*config.InvalidError)(nil); errors.As(err, &invalid) {
		fmt.Fprintln(env.Stderr, "Try: polar-bridge serve --help")
	}
	if wrong := (usageError{}); errors.As(err, &wrong) {
		fmt.Fprintln(env.Stderr, "Try: polar-bridge --help")
		return exitUsage
	}
	return exitFailure
}

// build says what was built, with what the toolchain knows where the linker
// was told nothing.
func (e *Env) build() app.Build {
	b := app.Build{Version: e.Version, Revision: e.Revision, GoVersion: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		return stamped(b, info)
	}
	return b
}

// stamped fills in what the linker was not told and the go command knows: the
// version of `go install module@version`, the commit of a checkout.
func stamped(b app.Build, info *debug.BuildInfo) app.Build {
	if b.Version == "dev" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && b.Revision == "unknown" {
			b.Revision = setting.Value
		}
	}
	return b
}
