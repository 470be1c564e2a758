package config

import (
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// settingType is the kong type of all settings: it has a mapper that notes
// problems instead of stopping at the first one.
const settingType = "setting"

// Options teaches kong to read settings: from flags, else from the Loader's
// environment, else from the defaults. An empty variable counts as unset.
func (l *Loader) Options() []kong.Option {
	return []kong.Option{
		kong.NamedMapper(settingType, mapper{l}),
		kong.Resolvers(kong.ResolverFunc(l.resolve)),
		kong.PostBuild(hideVariables),
	}
}

// Parse sets the settings of c from a command line without commands: by default,
// with no arguments, from the environment alone. The commands of a program embed
// their settings and need it not. Load follows.
func (l *Loader) Parse(c *Config, args ...string) error {
	parser, err := kong.New(c, append(l.Options(), kong.NoDefaultHelp())...)
	if err != nil {
		return err
	}
	_, err = parser.Parse(args)
	return err
}

// hideVariables keeps kong from reading the process's environment by itself,
// which it does past every injected one and with the value in its errors. The
// names stay in the help and in the tag's own text, where variable finds them.
func hideVariables(k *kong.Kong) error {
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok && variable(flag) != "" {
			origin := "$" + variable(flag)
			if flag.HasDefault {
				origin += ", by default " + flag.Default
			}
			flag.Help = strings.TrimSuffix(flag.Help, ".") + " (" + origin + ")."
			flag.Tag.Envs = nil
		}
		return next(nil)
	})
}

// variable returns the name of a setting's variable, "" for any other flag.
func variable(flag *kong.Flag) string {
	if flag.Tag.Type != settingType {
		return ""
	}
	return flag.Tag.Get("env")
}

// resolve returns the value that the environment has for a flag, or nil.
func (l *Loader) resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	name := variable(flag)
	if name == "" {
		return nil, nil
	}
	if value := strings.TrimSpace(l.env.Getenv(name)); value != "" {
		return value, nil
	}
	if name != "LISTEN_ADDR" {
		return nil, nil
	}
	// Platforms that run containers say in PORT where they expect us.
	port := strings.TrimSpace(l.env.Getenv("PORT"))
	if port == "" {
		return nil, nil
	}
	if !portNumber(port) {
		l.Problem("PORT", "must be a port number up to 65535")
		return nil, nil
	}
	return ":" + port, nil
}

// mapper turns a setting's text into its field and never fails on a value.
type mapper struct{ loader *Loader }

// IsBoolFromValue implements kong.BoolMapperExt: a switch needs no value.
func (mapper) IsBoolFromValue(value reflect.Value) bool {
	return value.Kind() == reflect.Bool || value.Type() == reflect.TypeFor[*bool]()
}

// Decode implements kong.Mapper.
func (m mapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	text := "true"
	if !m.IsBoolFromValue(target) || ctx.Scan.Peek().Type == kong.FlagValueToken {
		token, err := ctx.Scan.PopValue("value")
		if err != nil {
			return err
		}
		text = strings.TrimSpace(token.String())
	}
	name := variable(ctx.Value.Flag)
	m.loader.texts[name] = text
	if predicate := decode(text, target); predicate != "" {
		m.loader.Invalid(name, predicate)
	}
	return nil
}
