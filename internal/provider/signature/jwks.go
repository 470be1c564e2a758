package signature

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// How long an issuer's keys are used, and how often it is asked for them.
const (
	keysFresh = 10 * time.Minute // how long keys are used without a question
	// keysUsable is how long the keys that are known go on being used while the
	// issuer cannot be asked. It bounds how long a withdrawn key lives.
	keysUsable = time.Hour
	// fetchEvery and fetchBurst bound the questions, whatever strangers send:
	// a few at once, then one every so often. All that are refused meanwhile are
	// judged by keys that are not older than fetchEvery.
	fetchEvery = 30 * time.Second
	fetchBurst = 5
)

// Bounds of one question to an issuer, all its paths together.
const (
	fetchTimeout      = 2 * time.Second
	maxKeySet         = 1 << 20
	maxResponseHeader = 64 << 10
)

// JWKS says how an issuer's keys are fetched and what they may verify.
type JWKS struct {
	// Paths are appended to the issuer's address; the first that answers with
	// keys counts.
	Paths      []string
	Algorithms []string // those that are taken, each only by keys of its type
	MaxToken   int      // how long a token may be, in bytes
	// Now is the clock.
	Now       func() time.Time
	Transport http.RoundTripper // does the requests; nil for an own one
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
	addresses  []string
	client     *http.Client
	algorithms []string
	now        func() time.Time

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
	if err := config.CheckAddress(address); err != nil {
		return nil, err
	}
	s := &keySet{algorithms: o.Algorithms, now: o.Now, fetching: make(chan struct{}, 1), client: &http.Client{
		Transport: o.Transport,
		// Keys come from the configured address and no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if o.Transport == nil {
		// Questions are rare: a connection is not worth keeping.
		s.client.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, MaxResponseHeaderBytes: maxResponseHeader,
		}
	}
	for _, path := range o.Paths {
		s.addresses = append(s.addresses, strings.TrimRight(address, "/")+path)
	}
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
	_, err := s.fetch()
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
	keys, err := s.fetch()
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

// fetch returns the issuer's keys by their kid.
func (s *keySet) fetch() (map[string][]jwtKey, error) {
	// Not the request's context: the answer is for all that wait.
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	var problems []error
	for _, address := range s.addresses {
		keys, err := s.get(ctx, address)
		if err == nil {
			return keys, nil
		}
		problems = append(problems, err)
	}
	return nil, errors.Join(problems...)
}

func (s *keySet) get(ctx context.Context, address string) (map[string][]jwtKey, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, withoutURL(err)
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json") // RFC 7517 section 8.5
	response, err := s.client.Do(request)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answer has status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
	if err != nil {
		return nil, withoutURL(err)
	}
	if len(body) > maxKeySet {
		return nil, fmt.Errorf("answer has more than %d bytes", maxKeySet)
	}
	return parseKeySet(body, s.algorithms)
}

// withoutURL drops the address from an error of net/http.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
