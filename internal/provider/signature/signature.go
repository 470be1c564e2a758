// Package signature holds the schemes by which webhook deliveries prove where they
// come from: Standard Webhooks (Svix) signatures and static tokens, each with
// its own strict verifier and the matching signer.
//
// It must not know which provider uses a scheme or what a body says. The
// vendors' Go libraries are no substitute: several accept an empty secret, look
// at the first of repeated headers only, or check age one way.
package signature

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// Secrets returns the configured values of one secret as they stand now, as
// raw text. All of them are accepted, so that a secret can be rotated.
type Secrets func() []string

// SecretError says why a configured value cannot be a secret.
type SecretError struct {
	// Setting is the name of the setting.
	Setting string
	// Err follows the setting's name: "must be …". It never shows the value.
	Err error
}

// Error implements error.
func (e *SecretError) Error() string { return e.Setting + " " + e.Err.Error() }

// Unwrap lets errors.Is see through.
func (e *SecretError) Unwrap() error { return e.Err }

// keyring turns the configured values into keys and remembers the result until
// the values change.
type keyring[K any] struct {
	env    string
	source Secrets
	parse  func(string) (K, error)
	parsed atomic.Pointer[parsedSecrets[K]]
}

type parsedSecrets[K any] struct {
	values []string
	keys   []K
}

// newKeyring fails when there is no value or when any of them is unusable: at
// start the operator is there to mend it. Errors name env, never a value.
func newKeyring[K any](env string, source Secrets, parse func(string) (K, error)) (*keyring[K], error) {
	var values []string
	if source != nil {
		values = source()
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("%s is required", env)
	}
	var problems []error
	for _, value := range values {
		if _, err := parse(value); err != nil {
			problems = append(problems, &SecretError{Setting: env, Err: err})
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return &keyring[K]{env: env, source: source, parse: parse}, nil
}

// current returns the keys of all usable values. A value that became unusable
// by a rotation is skipped, so that it cannot take the others with it.
func (k *keyring[K]) current() []K {
	values := k.source()
	if p := k.parsed.Load(); p != nil && slices.Equal(p.values, values) {
		return p.keys
	}
	fresh := &parsedSecrets[K]{values: slices.Clone(values)}
	for _, value := range values {
		if key, err := k.parse(value); err == nil {
			fresh.keys = append(fresh.keys, key)
		}
	}
	k.parsed.Store(fresh)
	return fresh.keys
}

// single returns the header's value if it stands exactly once. http.Header.Get
// would return the first of several, which need not be the one that a proxy or
// another reader looks at.
func single(h http.Header, name string) (string, error) {
	switch values := h.Values(name); len(values) {
	case 0:
		return "", refuseHeader(fault.ReasonMissingHeader, name, "is missing")
	case 1:
		return values[0], nil
	default:
		return "", refuseHeader(fault.ReasonRepeatedHeader, name, "stands %d times", len(values))
	}
}

// refuseHeader is refuse for what is wrong with the named header.
func refuseHeader(reason, name, format string, args ...any) error {
	return fault.New(fault.Unauthenticated, reason, "header %s "+format, append([]any{name}, args...)...).About(name)
}

func refuse(reason, format string, args ...any) error {
	return fault.New(fault.Unauthenticated, reason, format, args...)
}
