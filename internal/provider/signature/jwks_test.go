package signature_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

func TestKeysAreFetchedWhenTheyAreNeededAndKept(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	issuer := newIssuer(key.set)
	v := issuer.verifier(t)
	require.Zero(t, issuer.fetched(), "nothing is fetched at start: the issuer may be away then")
	requireVerified(t, v, key.token)
	require.Equal(t, 1, issuer.fetched())
	issuer.step(10*time.Minute - 1)
	requireVerified(t, v, key.token)
	require.Zero(t, issuer.fetched())
	issuer.step(1)
	requireVerified(t, v, key.token)
	require.Equal(t, 1, issuer.fetched())
}

func TestKnownKeysOutliveAnOutageForAnHour(t *testing.T) {
	t.Parallel()
	key, stranger := newSigner(t), newSigner(t)
	issuer := newIssuer(key.set)
	v := issuer.verifier(t)
	requireVerified(t, v, key.token)
	issuer.become(nil, away)
	issuer.step(time.Hour - 1)
	requireVerified(t, v, key.token)
	requireUnavailable(t, v, stranger.token)
	issuer.step(1)
	requireUnavailable(t, v, key.token)

	issuer.publish(key.set)
	issuer.step(30 * time.Second)
	requireVerified(t, v, key.token)
	requireUnknown(t, v, stranger.token)
}

func TestRotationAtTheIssuer(t *testing.T) {
	t.Parallel()
	before, after := newSigner(t), newSigner(t)
	issuer := newIssuer(before.set)
	v := issuer.verifier(t)
	requireVerified(t, v, before.token)
	requireUnknown(t, v, after.token)
	issuer.publish(after.set)
	requireVerified(t, v, after.token)
	requireUnknown(t, v, before.token) // withdrawn
}

func TestAKeyThatIsWithdrawnIsUsedForTenMinutesAtMost(t *testing.T) {
	t.Parallel()
	before, after := newSigner(t), newSigner(t)
	issuer := newIssuer(before.set)
	v := issuer.verifier(t)
	requireVerified(t, v, before.token)
	issuer.publish(after.set)
	issuer.step(10 * time.Minute)
	requireUnknown(t, v, before.token)
}

func TestAFloodOfUnknownKeysIsNotPassedOn(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	issuer := newIssuer(key.set)
	v := issuer.verifier(t)
	flood := func() {
		var group sync.WaitGroup
		for i := range 1000 {
			token := strings.Replace(unsigned("RS256", "kid-"+strconv.Itoa(i)), "..", ".e30.", 1)
			group.Go(func() {
				_, err := v.VerifyToken(token)
				if fault.KindOf(err) != fault.Unauthenticated {
					t.Errorf("%v", err)
				}
			})
		}
		group.Wait()
	}
	flood()
	fetches := issuer.fetched()
	require.LessOrEqual(t, fetches, 5)
	require.GreaterOrEqual(t, fetches, 1)
	requireVerified(t, v, key.token)
	for range 5 {
		flood()
	}
	require.LessOrEqual(t, fetches+issuer.fetched(), 5)
	for range 3 {
		issuer.step(30 * time.Second)
		flood()
		require.Equal(t, 1, issuer.fetched())
	}
	// A new key is found within the flood.
	next := newSigner(t)
	issuer.publish(next.set)
	flood()
	requireUnknown(t, v, next.token)
	issuer.step(30 * time.Second)
	requireVerified(t, v, next.token)
	require.Equal(t, 1, issuer.fetched())
}

func TestTheFirstRequestsShareOneFetch(t *testing.T) {
	t.Parallel()
	const requests = 50
	key := newSigner(t)
	for range 20 {
		issuer := newIssuer(key.set)
		var group, here sync.WaitGroup
		v := issuer.verifier(t)
		here.Add(requests)
		for range requests {
			group.Go(func() {
				here.Done()
				here.Wait() // all look for the issuer's keys at the same time
				if _, err := v.VerifyToken(key.token); err != nil {
					t.Errorf("%v", err)
				}
			})
		}
		group.Wait()
		require.Equal(t, 1, issuer.fetched())
	}
}

func TestAnOutageIsNotAskedAboutAllTheTime(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	issuer := newIssuer(nil)
	issuer.become(nil, away)
	v := issuer.verifier(t)
	for range 100 {
		requireUnavailable(t, v, key.token)
	}
	require.Equal(t, 5, issuer.fetched())
	issuer.publish(key.set)
	requireUnavailable(t, v, key.token)
	issuer.step(30 * time.Second)
	requireVerified(t, v, key.token)
}

func TestAClockThatIsSetBackStopsNothing(t *testing.T) {
	t.Parallel()
	before, after := newSigner(t), newSigner(t)
	issuer := newIssuer(before.set)
	v := issuer.verifier(t)
	requireVerified(t, v, before.token)
	for range 10 {
		requireUnknown(t, v, after.token)
	}
	issuer.step(-24 * time.Hour)
	issuer.publish(after.set)
	requireVerified(t, v, after.token)
}

func TestAnIssuerThatIsSlowCostsTwoSecondsOnce(t *testing.T) {
	t.Parallel()
	key, stranger := newSigner(t), newSigner(t)
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer(key.set)
		v := issuer.verifier(t)
		requireVerified(t, v, key.token)
		issuer.step(11 * time.Minute)
		issuer.become(nil, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				_, err := v.VerifyToken(stranger.token)
				if fault.KindOf(err) != fault.Unavailable || time.Since(start) != 2*time.Second {
					t.Errorf("%v after %s", err, time.Since(start))
				}
			})
		}
		synctest.Wait()
		requireVerified(t, v, key.token) // does not wait for them
		require.Zero(t, time.Since(start))
		group.Wait()
		require.Equal(t, 2, issuer.fetched())
	})
}

func TestOneIssuerOfTwoIsAway(t *testing.T) {
	t.Parallel()
	here, gone, stranger := newSigner(t), newSigner(t), newSigner(t)
	issuer := newIssuer(nil)
	issuer.become(nil, func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "gone.example.com" {
			return nil, errAway
		}
		return respond(http.StatusOK, string(here.set))(r)
	})
	v := with(t, signature.NewIssuerJWT(signature.JWKS{
		Paths: []string{""}, Algorithms: []string{"RS256"}, MaxToken: 8 << 10, Now: issuer.clock, Transport: issuer,
	}), "https://gone.example.com", "https://here.example.com")
	requireVerified(t, v, here.token)
	requireUnavailable(t, v, gone.token)
	requireUnavailable(t, v, stranger.token)
}
