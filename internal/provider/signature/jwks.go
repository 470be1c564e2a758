package signature

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// How long an issuer's keys are used, and how often it is asked for them.
const (
	// keysFresh is how long keys are used without a question.
	keysFresh = 10 * time.Minute
	// keysUsable is how long the keys that are known go on being used while the
	// issuer cannot be asked. It bounds how long a withdrawn key lives.
	keysUsable = time.Hour
	// fetchEvery and fetchBurst bound the questions, whatever strangers send:
	// a few at once, then one every so often. All that are refused meanwhile are
	// judged by keys that are not older than fetchEvery.
	fetchEvery = 30 * time.Second
	fetchBurst = 5
)

// JWKS says how an issuer's keys are fetched and what they may verify.
type JWKS struct {
	// Paths are appended to the issuer's address; the first that answers with
	// keys counts.
	Paths []string
	// Algorithms are those that are taken, each only by keys of its type.
	Algorithms []string
	// MaxToken is how long a token may be, in bytes.
	MaxToken int
	// Now is the clock.
	Now func() time.Time
	// Transport does the requests; nil for an own one.
	Transport http.RoundTripper
}

// NewIssuerJWT returns a verifier of tokens that are signed with the keys which
// issuers publish (RFC 7517 section 5). Its keys are the issuers' addresses: https,
// or http on loopback.
//
// Keys are fetched from there when they are first needed and from nowhere else.
// As long as they cannot be, errors are of kind fault.Unavailable: the token may
// be genuine.
func NewIssuerJWT(o JWKS) *JWT {
	parse := func(address string) (jwtSource, error) { return newKeySet(address, o) }
	return &JWT{Keys: Keys[jwtSource]{parse: parse}, algorithms: o.Algorithms, max: o.MaxToken}
}

// keySet is the keys of one issuer. It starts no goroutine: whoever needs other
// keys than there are fetches them, and whoever needs the same waits for it.
type keySet struct {
	fetcher fetcher
	now     func() time.Time
	current atomic.Pointer[snapshot]

	fetching chan struct{} // full while the issuer is asked
	next     time.Time     // when the next question would be due, see due
}

// snapshot is what was known after one question. It does not change.
type snapshot struct {
	keys    map[string][]jwtKey
	fetched time.Time // when keys came
	problem error     // why the last question brought none
}

func newKeySet(address string, o JWKS) (jwtSource, error) {
	f, err := newFetcher(address, o)
	if err != nil {
		return nil, err
	}
	s := &keySet{fetcher: f, now: o.Now, fetching: make(chan struct{}, 1)}
	s.current.Store(&snapshot{})
	return s, nil
}

// find implements jwtSource. A key that is not known may be new, so the issuer
// is asked, if that is due.
func (s *keySet) find(kid string) ([]jwtKey, error) {
	if kid == "" {
		return nil, nil // it could be any key; issuers name theirs
	}
	seen := s.current.Load()
	known := seen.keys[kid]
	if len(known) > 0 && s.young(seen, keysFresh) {
		return known, nil
	}
	usable := len(known) > 0 && s.young(seen, keysUsable)
	s.refresh(seen, !usable)

	latest := s.current.Load()
	known = latest.keys[kid]
	switch {
	case len(known) > 0 && s.young(latest, keysUsable):
		return known, nil
	case latest.problem != nil:
		return nil, fault.New(fault.Unavailable, fault.ReasonKeys, "fetch the issuer's keys: %w", latest.problem)
	case !s.young(latest, keysUsable):
		return nil, fault.New(fault.Unavailable, fault.ReasonKeys, "the issuer's keys are out of date")
	}
	return nil, nil
}

// check implements jwtSource.
func (s *keySet) check() error {
	_, err := s.fetcher.fetch()
	return err
}

// young says whether the keys came less than d ago.
func (s *keySet) young(at *snapshot, d time.Duration) bool {
	age := s.now().Sub(at.fetched)
	return age >= 0 && age < d
}

// refresh asks the issuer, unless somebody else has done so since seen was the
// latest: then their answer counts, good or bad. With wait unset it does not
// wait for them either.
func (s *keySet) refresh(seen *snapshot, wait bool) {
	select {
	case s.fetching <- struct{}{}:
	default:
		if !wait {
			return
		}
		s.fetching <- struct{}{}
	}
	defer func() { <-s.fetching }()
	if s.current.Load() != seen || !s.due() {
		return
	}
	keys, err := s.fetcher.fetch()
	if err != nil {
		s.current.Store(&snapshot{keys: seen.keys, fetched: seen.fetched, problem: err})
		return
	}
	s.current.Store(&snapshot{keys: keys, fetched: s.now()})
}

// due says whether the issuer may be asked, and counts it. next runs ahead of
// the clock by fetchEvery for every question, at most fetchBurst times.
func (s *keySet) due() bool {
	now := s.now()
	ahead := s.next.Sub(now)
	if ahead < 0 || ahead > fetchBurst*fetchEvery { // the latter after the clock was set back
		ahead = 0
	}
	if ahead > (fetchBurst-1)*fetchEvery {
		return false
	}
	s.next = now.Add(ahead + fetchEvery)
	return true
}
