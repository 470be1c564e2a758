package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/joho/godotenv"
)

// readEnvFile reads the file that --env-file names. What the environment has comes
// first; an empty variable counts as not set there too.
func (e *Env) readEnvFile() error {
	path := ""
	for i, arg := range e.Args {
		if value, found := strings.CutPrefix(arg, "--env-file="); found {
			path = value
		} else if arg == "--env-file" && i+1 < len(e.Args) {
			path = e.Args[i+1]
		}
	}
	if path == "" {
		return nil
	}
	text, err := e.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return usage("--env-file: there is no file %q", path)
	case err != nil:
		return fmt.Errorf("--env-file: %w", err)
	}
	variables, err := godotenv.Parse(bytes.NewReader(text))
	if err != nil { // which may quote a secret
		return fmt.Errorf("--env-file: %q does not consist of lines NAME=value", path)
	}
	getenv, environ := e.Getenv, e.Environ
	e.Getenv = func(name string) string {
		if value := getenv(name); value != "" {
			return value
		}
		return variables[name]
	}
	if environ != nil {
		e.Environ = func() []string { // only the names are of interest
			all := environ()
			for _, name := range slices.Sorted(maps.Keys(variables)) {
				all = append(all, name+"=")
			}
			return all
		}
	}
	return nil
}
