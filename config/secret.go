package config

import (
	"fmt"
	"io"
)

// redacted stands wherever a secret would be printed.
const redacted = "[redacted]"

// Secret is a text that never prints itself, whichever way it is formatted or
// marshalled.
type Secret string

// Reveal returns the secret. Call it only where the secret is sent or compared.
func (s Secret) Reveal() string { return string(s) }

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb prints the secret.
func (Secret) Format(state fmt.State, _ rune) { writeRedacted(state) }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON implements json.Marshaler.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

func writeRedacted(w io.Writer) {
	// A fmt.State only buffers: it cannot fail.
	_, _ = io.WriteString(w, redacted)
}
