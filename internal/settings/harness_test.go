package settings_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

// Secrets that meet the rules.
const (
	goodToken = "polar_oat_0123456789abcdef"
	goodKey   = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
	otherKey  = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4"
)

// environment is variables and files.
type environment struct {
	vars, files map[string]string
}

func (e *environment) env() config.Env {
	return config.Env{
		Getenv:   func(name string) string { return e.vars[name] },
		ReadFile: e.readFile,
	}
}

func (e *environment) readFile(path string) ([]byte, error) {
	content, ok := e.files[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(content), nil
}

// parse reads a command line in the environment; sections picks what to load.
func (e *environment) parse(args []string, sections func(settings.All) []config.Section) (settings.All, error) {
	c, loader := settings.New(provider.Options{Now: time.Now}), config.NewLoader(e.env())
	if err := loader.Parse(c.Config, args...); err != nil {
		return settings.All{}, err
	}
	return c, loader.Load(sections(c)...)
}

// everything checks all settings and asks for none.
func everything(c settings.All) []config.Section { return []config.Section{c} }

// forServe is what serve asks for.
func forServe(c settings.All) []config.Section { return []config.Section{c.ForServe()} }

// with returns an environment of pairs NAME, value.
func with(pairs ...string) *environment {
	e := &environment{vars: map[string]string{}, files: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		e.vars[pairs[i]] = pairs[i+1]
	}
	return e
}

// load loads all settings of the environment, which must be right.
func load(t *testing.T, e *environment, args ...string) settings.All {
	t.Helper()
	c, err := e.parse(args, everything)
	require.NoError(t, err)
	return c
}

// problems returns what is wrong with the environment.
func problems(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var invalid *config.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, strings.Join(invalid.Problems, "\n"), err.Error())
	return invalid.Problems
}

var errDisk = errors.New("disk on fire")

// rule is what is said about one setting's value.
type rule struct {
	name, value string
	want        string // "" when the value is right
}

// checkRules sets each value alone.
func checkRules(t *testing.T, rules []rule) {
	t.Helper()
	for _, tt := range rules {
		t.Run(tt.name+"="+strings.ToValidUTF8(tt.value, "?"), func(t *testing.T) {
			t.Parallel()
			_, err := with(tt.name, tt.value).parse(nil, everything)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			got := strings.Join(problems(t, err), "\n")
			require.Equal(t, tt.want, strings.Replace(got, fmt.Sprintf(" (it is %q)", tt.value), "", 1))
		})
	}
}
