package provider_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every provider, in every way in which it can be set up.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, s := range all() {
		for _, h := range providertest.Variants(t, s.Name) {
			t.Run(s.Name+" "+h.Name(), func(t *testing.T) {
				t.Parallel()
				providertest.Run(t, h)
			})
		}
	}
}

func FuzzReceive(f *testing.F) { providertest.Fuzz(f, variants(f)) }

func FuzzUnsigned(f *testing.F) { providertest.FuzzUnsigned(f, variants(f)) }

// variants are of every provider.
func variants(tb testing.TB) []*providertest.Harness {
	tb.Helper()
	var harnesses []*providertest.Harness
	for _, s := range all() {
		harnesses = append(harnesses, providertest.Variants(tb, s.Name)...)
	}
	return harnesses
}

// all returns every provider, with the real clock and settings that are not loaded.
func all() provider.Registry { return provider.All(provider.Options{Now: time.Now}) }
