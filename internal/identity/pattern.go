package identity

import (
	"net/http"
	"regexp"

	"github.com/polar-bridge/polar-bridge/internal/event"
)

// WithPattern returns p so that usable ids which do not match are ignored, each
// alone. The pattern matches anywhere in the id unless it is anchored. Unusable
// ids are passed on: they name nobody, so a human has to see them. A nil
// pattern changes nothing.
func WithPattern(p Provider, pattern *regexp.Regexp) Provider {
	if pattern == nil {
		return p
	}
	wrapped := patterned{Provider: p, pattern: pattern}
	a, acknowledges := p.(acknowledger)
	c, challenges := p.(challenger)
	switch {
	case acknowledges && challenges:
		return struct {
			patterned
			acknowledger
			challenger
		}{wrapped, a, c}
	case acknowledges:
		return struct {
			patterned
			acknowledger
		}{wrapped, a}
	case challenges:
		return struct {
			patterned
			challenger
		}{wrapped, c}
	}
	return wrapped
}

// What a provider may be besides a Provider. The HTTP edge asks for these by
// their methods, which a wrapper would hide: pass each of them on.
type (
	acknowledger interface {
		Acknowledge(r event.Receipt) (status int, body []byte)
	}
	challenger interface {
		Challenge(h http.Header) (body []byte, err error)
	}
)

type patterned struct {
	Provider

	pattern *regexp.Regexp
}

// Receive drops the deletions that do not match.
func (p patterned) Receive(h http.Header, body []byte) (event.Delivery, error) {
	delivery, err := p.Provider.Receive(h, body)
	if err != nil {
		return event.Delivery{}, err
	}
	var kept []event.Deletion
	for _, d := range delivery.Deletions {
		if d.UnusableID != "" || p.pattern.MatchString(d.ExternalID) {
			kept = append(kept, d)
			continue
		}
		delivery.Ignored++
		delivery.IgnoreReason = event.IgnorePattern
	}
	delivery.Deletions = kept
	return delivery, nil
}
