package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"
)

// rereadAfter is how long what was read from a secret's file counts as fresh.
const rereadAfter = time.Second

// SecretSource holds the current values of one secret. When they come from a
// file, the file is read again on use, at most once a second, so a rotated
// secret takes effect without a restart, symlink swaps included. A new content
// that is unusable leaves the old values in force. It is safe for concurrent
// use and prints itself redacted.
type SecretSource struct {
	name  string
	parse func(string) ([]string, error)
	read  func() ([]byte, error) // nil when the values cannot change
	now   func() time.Time

	mu      sync.Mutex
	values  []string
	checked time.Time
	reading bool // somebody reads the file now
	report  func(error)
	problem string // what was reported last, "" when the file was fine
}

// Static returns a source whose values never change, for a program that makes
// its own settings: the demo and tests. It checks nothing.
func Static(name string, values ...string) *SecretSource {
	return &SecretSource{name: name, values: values}
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

// Values returns all values that are valid now. The caller may keep the slice.
func (s *SecretSource) Values() []string {
	s.refresh(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.values)
}

// Refresh reads the file now, whenever it was read last. Call it now and then,
// so that an unusable file is noticed before the next webhook.
func (s *SecretSource) Refresh() { s.refresh(true) }

// OnProblem sets who is told, once, about a file whose new content is unusable;
// the error has the setting's name and nothing of the content. Being told again
// takes another problem, or a recovery in between.
func (s *SecretSource) OnProblem(report func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report = report
}

// String implements fmt.Stringer.
func (*SecretSource) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (*SecretSource) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb prints the values.
func (*SecretSource) Format(state fmt.State, _ rune) { writeRedacted(state) }

// MarshalText implements encoding.TextMarshaler.
func (*SecretSource) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// refresh reads the file when that is due. Only one caller reads at a time and
// none waits for it, so that a file system that hangs stops no webhook.
func (s *SecretSource) refresh(force bool) {
	if s.read == nil || !s.claim(force) {
		return
	}
	values, err := parseFile(s.read, s.parse)
	if report, problem := s.store(values, err); report != nil {
		report(fmt.Errorf("%s %w; the old value stays in force", s.name, problem))
	}
}

// claim reports whether it is time to read and makes everybody else wait for
// the next time.
func (s *SecretSource) claim(force bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if age := now.Sub(s.checked); s.reading || !force && age >= 0 && age < rereadAfter {
		return false
	}
	s.checked, s.reading = now, true
	return true
}

// store takes over what was read, or returns who has to be told why not.
func (s *SecretSource) store(values []string, err error) (func(error), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = false
	if err == nil {
		s.values, s.problem = values, ""
		return nil, nil
	}
	if s.problem == err.Error() || s.report == nil {
		return nil, nil
	}
	s.problem = err.Error()
	return s.report, err
}

// What can be wrong with a secret's file. The texts follow the setting's name.
var (
	errFileEmpty   = errors.New("comes from a file that is empty")
	errFileUnknown = errors.New("unknown error")
)

func parseFile(read func() ([]byte, error), parse func(string) ([]string, error)) ([]string, error) {
	content, err := read()
	if err != nil {
		return nil, fmt.Errorf("comes from a file that cannot be read (%w)", withoutPath(err))
	}
	text := strings.TrimRight(string(content), "\r\n")
	if strings.TrimSpace(text) == "" {
		return nil, errFileEmpty
	}
	return parse(text)
}

// withoutPath drops the path from a file system's error: an operator may have
// put the secret itself where its file's name belongs.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return errFileUnknown
}
