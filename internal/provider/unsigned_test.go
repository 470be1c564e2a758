package provider_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// genuine is a provider and a delivery that it takes.
type genuine struct {
	*provider.Spec

	header http.Header
	body   []byte
}

// genuines are of every provider, and foreign are the same by senders whose keys
// nobody configured.
func genuines(t testing.TB) (own, foreign []genuine) {
	t.Helper()
	private, keys, err := signature.NewSigningKey()
	require.NoError(t, err)
	strange, _, err := signature.NewSigningKey()
	require.NoError(t, err)
	for _, s := range all() {
		key, other, secret := secretFor(s), "other-token-0123456789abcdef", secretFor(s)
		switch key {
		case svixKey:
			other = otherSvix
		case kindeIssuer:
			key, other = private, strange
		}
		p := enabledWith(t, provider.Options{Transport: publishes(keys)}, s.Name, s.EnabledBy, secret)
		require.NoError(t, provider.Registry{p.Spec}.Gateway().SetKeys([]string{textKey}))
		sample := provider.Sample{ExternalID: "a", EventID: "e", Time: time.Now()}
		header, body, err := p.Sample(key, sample)
		require.NoError(t, err)
		d, err := p.Receive(header, body)
		require.NoError(t, err, "the delivery is genuine")
		require.Equal(t, s.Name, d.Deletions[0].Provider)
		own = append(own, genuine{p.Spec, header, body})
		header, body, err = p.Sample(other, sample)
		require.NoError(t, err)
		foreign = append(foreign, genuine{p.Spec, header, body})
	}
	return own, foreign
}

// refuses requires that there is nothing to be had without authentication, not
// even an answer about the body.
func (g genuine) refuses(t testing.TB, header http.Header, body []byte) {
	t.Helper()
	d, err := g.Receive(header, body)
	require.Equal(t, fault.Unauthenticated, fault.KindOf(err), "%s %v", g.Name, header)
	require.Equal(t, deletion.Delivery{}, d)
}

// proofs names the headers that authenticate: none when the body does.
func (g genuine) proofs() []string {
	if g.header.Get("Content-Type") == "application/jwt" {
		return nil
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(g.header)), func(name string) bool { return name == "Content-Type" })
}

func TestWhatIsNotAuthenticatedNeverPasses(t *testing.T) {
	t.Parallel()
	own, foreign := genuines(t)
	require.Len(t, own, len(all()))
	for i, g := range own {
		g.refuses(t, foreign[i].header, foreign[i].body)
		g.refuses(t, byGateway(foreign[i].header, foreign[i].body), foreign[i].body)
		for _, body := range [][]byte{g.body, nil, []byte("{}"), []byte("not JSON")} {
			if len(g.proofs()) == 0 && body != nil && &body[0] == &g.body[0] {
				continue // the body is what authenticates
			}
			g.refuses(t, nil, body)
			g.refuses(t, http.Header{"Content-Type": {"application/json"}}, body)
			for _, name := range g.proofs() {
				value := g.header.Get(name)
				for _, changed := range [][]string{nil, {""}, {" "}, {value + "x"}, {value[1:]}, {value, value}, {strings.ToUpper(value) + "Z"}, {"v1,"}, {"Bearer "}, {"null"}} {
					header := g.header.Clone()
					header[name] = changed
					g.refuses(t, header, body)
				}
			}
		}
		// What authenticates at one provider is worth nothing at another, unless
		// both were given the same token.
		for _, other := range own {
			if len(g.proofs()) == 0 {
				break // whatever the headers say
			}
			if other.header.Get("Authorization") == "" && other.Name != g.Name && !sameProofs(g, other) {
				g.refuses(t, other.header, g.body)
			}
		}
		if len(g.proofs()) == 0 { // the body is what authenticates
			parts := strings.Split(string(g.body), ".")
			for _, body := range []string{
				parts[0] + "." + parts[1] + ".", parts[0] + "." + parts[1], "." + parts[1] + "." + parts[2], "eyJhbGciOiJub25lIn0." + parts[1] + ".",
				"eyJhbGciOiJub25lIn0." + parts[1] + "." + parts[2],
			} {
				g.refuses(t, g.header, []byte(body))
			}
		}
	}
}

// byGateway is the header of a body that the gateway has forwarded.
func byGateway(header http.Header, body []byte) http.Header {
	header = header.Clone()
	header.Set("X-Hookdeck-Signature", providertest.GatewaySignature(textKey, body))
	return header
}

// sameProofs says whether both providers look at the same headers.
func sameProofs(a, b genuine) bool { return slices.Equal(a.proofs(), b.proofs()) }

// throughGateway and more is what a fuzzed delivery's provider is when a gateway has
// signed it.
const throughGateway = 128

// FuzzWhatIsNotAuthenticatedNeverPasses sends every provider a body under
// headers that nobody with a key has made, half of the time with the signature of a
// gateway beside them.
func FuzzWhatIsNotAuthenticatedNeverPasses(f *testing.F) {
	_, foreign := genuines(f)
	for i, g := range foreign {
		names := append(g.proofs(), "", "", "")
		for _, half := range []int{0, throughGateway} {
			f.Add(uint8(i+half), names[0], g.header.Get(names[0]), names[1], g.header.Get(names[1]), names[2], g.header.Get(names[2]), g.body)
		}
	}
	f.Fuzz(func(t *testing.T, provider uint8, first, one, second, two, third, three string, body []byte) {
		g := foreign[int(provider%throughGateway)%len(foreign)]
		header := http.Header{"Content-Type": {g.header.Get("Content-Type")}}
		for name, value := range map[string]string{first: one, second: two, third: three} {
			header[http.CanonicalHeaderKey(name)] = []string{value}
		}
		if provider >= throughGateway {
			header = byGateway(header, body)
		}
		g.refuses(t, header, body)
	})
}
