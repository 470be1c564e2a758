// Command polar-bridge deletes the Polar customer of everybody who deletes
// their account at an identity provider: once, surely, provably.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/mattn/go-isatty"

	"github.com/polar-bridge/polar-bridge/internal/cli"
)

// Set by the linker at release, see the Makefile.
var (
	version  = "dev"
	revision = "unknown" //nolint:gochecknoglobals // the linker can only set a variable
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	var stdin io.Reader
	if isatty.IsTerminal(os.Stdin.Fd()) {
		stdin = os.Stdin
	}
	return cli.Run(ctx, cli.Env{
		Args: os.Args[1:], Getenv: os.Getenv, Environ: os.Environ, ReadFile: os.ReadFile,
		Reread: hangups,
		Stdin:  stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Version: version, Revision: revision,
	})
}

// hangups returns what tells a server, by convention, to read its files again.
func hangups() (signals <-chan os.Signal, stop func()) {
	received := make(chan os.Signal, 1)
	signal.Notify(received, syscall.SIGHUP)
	return received, func() { signal.Stop(received) }
}
