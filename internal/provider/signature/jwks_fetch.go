package signature

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Bounds of one question to an issuer, all its paths together.
const (
	fetchTimeout      = 2 * time.Second
	maxKeySet         = 1 << 20
	maxResponseHeader = 64 << 10
)

// fetcher asks one issuer for its keys.
type fetcher struct {
	addresses  []string
	client     *http.Client
	algorithms []string
}

func newFetcher(address string, o JWKS) (fetcher, error) {
	if err := checkIssuer(address); err != nil {
		return fetcher{}, err
	}
	f := fetcher{algorithms: o.Algorithms, client: &http.Client{
		Transport: o.Transport,
		// Keys come from the configured address and no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if o.Transport == nil {
		// Questions are rare: a connection is not worth keeping.
		f.client.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, MaxResponseHeaderBytes: maxResponseHeader,
		}
	}
	for _, path := range o.Paths {
		f.addresses = append(f.addresses, strings.TrimRight(address, "/")+path)
	}
	return f, nil
}

// checkIssuer allows https, and http on loopback: whoever can answer in the
// issuer's place can sign. Errors never show the address.
func checkIssuer(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return errors.New("must be an absolute URL such as https://example.com")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return errors.New("must begin with https://; http:// is allowed on loopback only")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(address, "#"):
		return errors.New("must have no user, query or fragment")
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// fetch returns the issuer's keys by their kid.
func (f fetcher) fetch() (map[string][]jwtKey, error) {
	// Not the request's context: the answer is for all that wait.
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	var problems []error
	for _, address := range f.addresses {
		keys, err := f.get(ctx, address)
		if err == nil {
			return keys, nil
		}
		problems = append(problems, err)
	}
	return nil, errors.Join(problems...)
}

func (f fetcher) get(ctx context.Context, address string) (map[string][]jwtKey, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, withoutURL(err)
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json") // RFC 7517 section 8.5
	response, err := f.client.Do(request)
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
	return parseKeySet(body, f.algorithms)
}

// withoutURL drops the address from an error of net/http.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
