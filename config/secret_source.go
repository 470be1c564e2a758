package config

import (
	"errors"
	"fmt"
	"io"
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

// redacted stands wherever a secret would be printed.
const redacted = "[redacted]"

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

// Read returns what the file holds now, without the line breaks at its end. The error
// follows the setting's name, and names no path: an operator may have put the secret
// itself where its file's name belongs.
func (s *SecretSource) Read() (text string, err error) {
	content, err := s.read()
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return "", fmt.Errorf("comes from a file that cannot be read (%w)", failed.Err)
	}
	if err != nil {
		return "", errors.New("comes from a file that cannot be read (unknown error)")
	}
	text = strings.TrimRight(string(content), "\r\n")
	if strings.TrimSpace(text) == "" {
		return "", errors.New("comes from a file that is empty")
	}
	return text, nil
}

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
func (*SecretSource) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, redacted) // a fmt.State only buffers: it cannot fail
}

// MarshalText implements encoding.TextMarshaler.
func (*SecretSource) MarshalText() ([]byte, error) { return []byte(redacted), nil }
