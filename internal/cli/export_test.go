package cli

import (
	"io"
	"time"

	"github.com/alecthomas/kong"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

// JudgeFile returns what doctor says of a SQLite file, by the check's name.
func JudgeFile(file database.File) map[string]string {
	d := &doctor{}
	d.judgeReach(database.Inspection{Dialect: database.SQLite, File: &file}, nil)
	d.judgeFile(file)
	said := map[string]string{}
	for _, check := range d.report.Checks {
		said[check.Name] = check.Status + ": " + check.Detail
	}
	return said
}

// Since reads a point in time as --since does.
func Since(text string, now time.Time) (time.Time, error) { return parseMoment(text, now) }

// Harmless returns a cell as export writes it.
func Harmless(cell string) string { return harmless(cell) }

// Parse reads a command line as Run does, and runs nothing. Of a part of one it wants
// only that the command and the flags exist and take their values.
func Parse(args []string, part bool) error {
	env := &Env{Getenv: func(string) string { return "" }, Stdout: io.Discard, Stderr: io.Discard}
	loader := config.NewLoader(config.Env{Getenv: env.Getenv})
	parser, err := newParser(env, loader, provider.All(provider.Options{Now: time.Now}), kong.Exit(func(int) {}))
	if err != nil {
		return err
	}
	if !part {
		_, err = parser.Parse(args)
		return err
	}
	context, err := kong.Trace(parser, args)
	if err != nil {
		return err
	}
	return context.Error
}
