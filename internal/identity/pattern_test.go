package identity_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/handlers"
	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/identity"
)

// fake is a provider of which the wrappers below add what it may also be.
type fake struct{ identity.Provider }

func (fake) Receive(http.Header, []byte) (event.Delivery, error) {
	return event.Delivery{Deletions: []event.Deletion{{ExternalID: "a"}, {ExternalID: "b"}}}, nil
}

type acks struct{}

func (acks) Acknowledge(r event.Receipt) (int, []byte) { return 200 + r.Accepted, nil }

type challenges struct{}

func (challenges) Challenge(http.Header) ([]byte, error) { return []byte("c"), nil }

func TestThePatternHidesNothing(t *testing.T) {
	t.Parallel()
	type ackingFake struct {
		fake
		acks
	}
	type challengingFake struct {
		fake
		challenges
	}
	type bothFake struct {
		fake
		acks
		challenges
	}
	for _, p := range []identity.Provider{fake{}, ackingFake{}, challengingFake{}, bothFake{}} {
		wrapped := identity.WithPattern(p, regexp.MustCompile("^a$"))
		requireSameFaces(t, p, wrapped)
		d, err := wrapped.Receive(nil, nil)
		require.NoError(t, err)
		require.Equal(t, []string{"a"}, externalIDs(d), "%T", p)
		if a, ok := wrapped.(handlers.Acknowledger); ok {
			status, _ := a.Acknowledge(event.Receipt{Accepted: 4})
			require.Equal(t, 204, status)
		}
		if c, ok := wrapped.(handlers.Challenger); ok {
			body, err := c.Challenge(nil)
			require.NoError(t, err)
			require.Equal(t, "c", string(body))
		}
	}
}

func requireSameFaces(t *testing.T, p, wrapped identity.Provider) {
	t.Helper()
	_, acknowledges := p.(handlers.Acknowledger)
	_, still := wrapped.(handlers.Acknowledger)
	require.Equal(t, acknowledges, still, "%T", p)
	_, challenges := p.(handlers.Challenger)
	_, still = wrapped.(handlers.Challenger)
	require.Equal(t, challenges, still, "%T", p)
}

func TestThePatternHidesNothingOfAnyEntry(t *testing.T) {
	t.Parallel()
	for _, e := range identity.Entries() {
		p, err := e.New(settings(e))
		require.NoError(t, err)
		requireSameFaces(t, p, identity.WithPattern(p, regexp.MustCompile("^a$")))
	}
}
