package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
)

// SecretSource holds the values of one secret that are valid now. When they come
// from a file, whoever watches it calls Read and Take, and a rotated secret takes
// effect without a restart, symlink swaps included. It is safe for concurrent use and
// prints itself redacted.
type SecretSource struct {
	name  string
	parse func(text string) ([]string, error)
	read  func() ([]byte, error) // nil when the values cannot change

	taken atomic.Pointer[taken]
}

// taken is the text that was used last, and its values.
type taken struct {
	text   string
	values []string
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
	if taken := s.taken.Load(); taken != nil {
		return taken.values
	}
	return nil
}

// CanChange reports whether the values come from a file.
func (s *SecretSource) CanChange() bool { return s.read != nil }

// Read returns what the file holds now. The error follows the setting's name.
func (s *SecretSource) Read() (text string, err error) { return readText(s.read) }

// Took reports whether the values that are valid are those of the text.
func (s *SecretSource) Took(text string) bool {
	taken := s.taken.Load()
	return taken != nil && taken.text == text
}

// Take parses a text and makes its values valid. What cannot be used leaves the old
// values in force. The error follows the setting's name and has nothing of the text.
func (s *SecretSource) Take(text string) error {
	values, err := s.parse(text)
	if err != nil {
		return err
	}
	s.taken.Store(&taken{text, values})
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
