package config

import (
	"fmt"
	"slices"
	"strings"
)

// Env is where settings come from.
type Env struct {
	// Getenv returns an environment variable, "" when it is not set.
	Getenv func(string) string
	// Names returns the names of all environment variables, for Advise, which
	// looks for misspelt ones; nil when they are not known.
	Names func() []string
	// ReadFile reads a secret's file.
	ReadFile func(string) ([]byte, error)
}

// Loader reads settings through kong and collects what is wrong with them. It
// is good for one command line.
type Loader struct {
	env      Env
	problems []string
	bad      map[string]bool   // settings that have a problem already
	texts    map[string]string // of the settings that are no secrets
}

// NewLoader makes a Loader. All fields of env must be set, but Names.
func NewLoader(env Env) *Loader {
	return &Loader{env: env, bad: map[string]bool{}, texts: map[string]string{}}
}

// Section is a set of settings: *Config, one of its parts, or the caller's own.
type Section interface {
	// Load reads the secrets and notes what is wrong with any of the settings.
	Load(l *Loader)
}

// Load reads the secrets of the sections and checks all their settings. Call it
// after kong has parsed the command line with this Loader's Options. The error
// is an *InvalidError.
func (l *Loader) Load(sections ...Section) error {
	for _, section := range sections {
		section.Load(l)
	}
	if len(l.problems) > 0 {
		return &InvalidError{Problems: l.problems}
	}
	return nil
}

// InvalidError says what is wrong with the settings.
type InvalidError struct {
	// Problems are sentences that begin with the setting's name. The setting's value
	// follows where it is no secret and too short to be one that went astray.
	Problems []string
}

// Error returns all problems, one a line.
func (e *InvalidError) Error() string { return strings.Join(e.Problems, "\n") }

// Problem notes a sentence about the setting. Only the first counts: what
// follows from a value that could not even be read helps nobody.
func (l *Loader) Problem(name, predicate string) {
	if !l.bad[name] {
		l.bad[name] = true
		l.problems = append(l.problems, name+" "+predicate+".")
	}
}

// Invalid is Problem for a rule that the value itself breaks: the value follows.
func (l *Loader) Invalid(name, predicate string) { l.Problem(name, predicate+l.shown(name)) }

// shown is the setting's value in brackets, "" where it may be a secret.
func (l *Loader) shown(name string) string {
	text := l.texts[name]
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	if text == "" || len(text) >= minPasswordLength || strings.ContainsFunc(text, odd) {
		return ""
	}
	return fmt.Sprintf(" (it is %q)", text)
}

// HasProblem says whether the setting has one already.
func (l *Loader) HasProblem(name string) bool { return l.bad[name] }

// Require notes a problem unless the rule, which is about more than the value, holds.
func (l *Loader) Require(holds bool, name, predicate string) {
	if !holds {
		l.Problem(name, predicate)
	}
}

// RequireValue is Require for a rule about the value itself.
func (l *Loader) RequireValue(holds bool, name, predicate string) {
	if !holds {
		l.Invalid(name, predicate)
	}
}

// RequireOneOf notes a problem unless the value is one of the allowed ones.
func (l *Loader) RequireOneOf(name, value string, allowed ...string) {
	last := len(allowed) - 1
	l.RequireValue(slices.Contains(allowed, value), name, "must be "+strings.Join(allowed[:last], ", ")+" or "+allowed[last])
}

// Secret loads a secret that may change. Parse turns its text into the values that
// it holds and has them used from then on, here and whenever a file holds another
// text, or says why it cannot: the error follows the setting's name and shows nothing
// of the text. What is used before stays in force then.
func (l *Loader) Secret(name string, parse func(text string) (values []string, err error)) *SecretSource {
	s := &SecretSource{name: name, parse: parse}
	text, path := strings.TrimRight(l.env.Getenv(name), "\r\n"), strings.TrimSpace(l.env.Getenv(name+"_FILE"))
	var err error
	switch {
	case text != "" && path != "":
		text, err = "", fmt.Errorf("and %s_FILE are both set; unset one of them", name)
	case path != "":
		s.read = func() ([]byte, error) { return l.env.ReadFile(path) }
		text, err = s.Read()
	}
	if err == nil && text != "" {
		err = s.Take(text)
	}
	if err != nil {
		l.Problem(name, err.Error())
	}
	return s
}
