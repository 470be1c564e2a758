package app_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// Both providers with public keys, and an issuer that is away when they are
// needed: a 4xx would make the sender give up what may be genuine.
func TestAnIssuerThatIsAwayIsOurOwnTrouble(t *testing.T) {
	t.Parallel()
	for folder, file := range map[string]string{"kinde": "user-deleted", "fusionauth/public-keys": "rs256"} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			r := routeIn(t, folder)
			id := r.Genuine[file]
			p := startProgram(t, r.Variables)
			p.addCustomer(id)
			status, answer := r.play(t, p, file)
			require.Equal(t, http.StatusServiceUnavailable, status)
			require.Regexp(t, `^\{"error":"unavailable",`, answer)
			status, _ = r.play(t, p, "alg-none")
			require.Equal(t, http.StatusUnauthorized, status, "no key would help")

			r.publish(t, p)
			status, answer = r.play(t, p, file)
			r.requireAccepted(t, status, answer)
			p.waitFinished(t, 1)
			require.Equal(t, []stored{{state: deletion.StateDone}}, p.deletions(t, r.route))
			require.Equal(t, []string{id}, p.deleted())
		})
	}
}

func TestStrangersCannotMakeTheProgramAskAnIssuerAllTheTime(t *testing.T) {
	t.Parallel()
	r := routeIn(t, "kinde")
	p := r.start(t)
	for range 50 {
		status, _ := r.play(t, p, "unknown-kid")
		require.Equal(t, http.StatusUnauthorized, status)
	}
	require.LessOrEqual(t, p.asked.Load(), int64(5))
	status, answer := r.play(t, p, "user-deleted")
	r.requireAccepted(t, status, answer)
	require.LessOrEqual(t, p.asked.Load(), int64(5))
}
