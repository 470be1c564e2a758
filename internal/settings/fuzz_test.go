package settings_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

// FuzzLoad puts a marker beside arbitrary text into every variable, and files
// behind every secret: loading never panics, and no problem shows the marker.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "5s", "true", "sqlite:x.db", "postgres://u:p@h/d", "https://[::1]:4000", ":8080", "10.0.0.0/8,::1", "^user_(", `\p{Nope}`,
		"whsec_MDEyMzQ1Njc4OWFiY2RlZg==", "/data/object/app_metadata/x", "a\nb,c", "\x00\xff", "%zz", "--polar-timeout", "999999999999999999999h",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, asFile bool) {
		const marker = "MARKER739164" // as short as a secret may be
		for _, value := range []string{text, marker + text, text + marker, text + "://" + marker + ":" + marker + "@" + text} {
			w := with("PORT", value)
			for _, name := range names() {
				if asFile && isSecret(name) {
					w.vars[name+"_FILE"] = marker + name
					w.files[marker+name] = value
					continue
				}
				w.vars[name] = value
			}
			c, err := w.parse(nil, forServe)
			if err != nil {
				require.NotContains(t, strings.Join(problems(t, err), "\n"), marker)
				continue
			}
			require.True(t, c.Polar.AccessToken.IsSet())
		}
	})
}

// names lists every setting.
func names() []string {
	var all []string
	for _, entry := range settings.New(provider.Options{}).Summary() {
		all = append(all, entry.Name)
	}
	return all
}
