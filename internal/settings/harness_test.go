package settings_test

import (
	"errors"
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

// world is an environment with files.
type world struct {
	vars, files map[string]string
}

func (w *world) env() config.Env {
	return config.Env{
		Getenv:   func(name string) string { return w.vars[name] },
		ReadFile: w.readFile,
	}
}

func (w *world) readFile(path string) ([]byte, error) {
	content, ok := w.files[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(content), nil
}

// parse reads a command line in the world; sections picks what to load.
func (w *world) parse(args []string, sections func(settings.All) []config.Section) (settings.All, error) {
	c, loader := settings.New(provider.Options{Now: time.Now}), config.NewLoader(w.env())
	if err := loader.Parse(c.Config, args...); err != nil {
		return settings.All{}, err
	}
	return c, loader.Load(sections(c)...)
}

// everything checks all settings and asks for none.
func everything(c settings.All) []config.Section { return []config.Section{c} }

// forServe is what serve asks for.
func forServe(c settings.All) []config.Section { return []config.Section{c.ForServe()} }

// with returns a world of pairs NAME, value.
func with(pairs ...string) *world {
	w := &world{vars: map[string]string{}, files: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		w.vars[pairs[i]] = pairs[i+1]
	}
	return w
}

// load loads all settings of the world, which must be right.
func load(t *testing.T, w *world, args ...string) settings.All {
	t.Helper()
	c, err := w.parse(args, everything)
	require.NoError(t, err)
	return c
}

// problems returns what is wrong with the world.
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
			require.Equal(t, []string{tt.want}, problems(t, err))
		})
	}
}
