package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
)

// SecretSource holds the values of one secret that are valid now. When they come
// from a file, whoever watches it calls Look, and a rotated secret takes effect
// without a restart, symlink swaps included. It is safe for concurrent use and
// prints itself redacted.
type SecretSource struct {
	name  string
	parse func(string) ([]string, error)
	read  func() ([]byte, error) // nil when the values cannot change

	values atomic.Pointer[[]string]

	looking sync.Mutex // held while one looks at the file
	taken   string     // the text that values were made of
	seen    observed   // what the last look found
	said    observed   // what was complained of, none when the file was fine since
}

// observed is what a look at a file finds: its text, or why there is none.
type observed struct{ text, problem string }

// Static returns a source whose values never change, for a program that makes
// its own settings: the demo and tests. It checks nothing.
func Static(name string, values ...string) *SecretSource {
	s := &SecretSource{name: name}
	s.values.Store(&values)
	return s
}

// Name returns the setting's name.
func (s *SecretSource) Name() string { return s.name }

// IsSet reports whether there is a secret at all.
func (s *SecretSource) IsSet() bool { return s != nil && len(s.Values()) > 0 }

// Value returns the current value, the first when there are several, and ""
// when the secret is not set.
func (s *SecretSource) Value() string {
	values := s.Values()
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// Values returns all values that are valid now, which the caller must not change.
func (s *SecretSource) Values() []string {
	if values := s.values.Load(); values != nil {
		return *values
	}
	return nil
}

// Look reads the file once and says whether new values are valid from now on.
// What the file holds is judged when two looks in a row found the same, so that
// one that is half written is neither taken nor complained of. What cannot be
// used leaves the old values in force and is an error, once: being told again
// takes another problem, or a recovery in between. The error has the setting's
// name and nothing of the content.
func (s *SecretSource) Look() (changed bool, err error) {
	if s.read == nil {
		return false, nil
	}
	s.looking.Lock()
	defer s.looking.Unlock()
	now := s.observe()
	settled := now == s.seen
	s.seen = now
	switch {
	case now.problem == "" && now.text == s.taken:
		s.said = observed{}
		return false, nil
	case !settled || now == s.said:
		return false, nil
	}
	problem := errors.New(now.problem)
	if now.problem == "" {
		problem = s.take(now.text)
	}
	if problem == nil {
		s.said = observed{}
		return true, nil
	}
	s.said = now
	return false, fmt.Errorf("%s %w; the old value stays in force", s.name, problem)
}

func (s *SecretSource) observe() observed {
	text, err := readText(s.read)
	if err != nil {
		return observed{problem: err.Error()}
	}
	return observed{text: text}
}

// take makes a text's values valid, or says why it has none that are.
func (s *SecretSource) take(text string) error {
	values, err := s.parse(text)
	if err != nil {
		return err
	}
	s.taken = text
	s.values.Store(&values)
	return nil
}

// String implements fmt.Stringer.
func (*SecretSource) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (*SecretSource) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb prints the values.
func (*SecretSource) Format(state fmt.State, _ rune) { writeRedacted(state) }

// MarshalText implements encoding.TextMarshaler.
func (*SecretSource) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// What can be wrong with a secret's file. The texts follow the setting's name.
var (
	errFileEmpty   = errors.New("comes from a file that is empty")
	errFileUnknown = errors.New("unknown error")
)

// readText returns a file's text without the line breaks at its end.
func readText(read func() ([]byte, error)) (string, error) {
	content, err := read()
	if err != nil {
		return "", fmt.Errorf("comes from a file that cannot be read (%w)", withoutPath(err))
	}
	text := strings.TrimRight(string(content), "\r\n")
	if strings.TrimSpace(text) == "" {
		return "", errFileEmpty
	}
	return text, nil
}

// withoutPath drops the path from a file system's error: an operator may have
// put the secret itself where its file's name belongs.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return errFileUnknown
}
