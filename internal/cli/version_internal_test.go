package cli

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/app"
)

func TestTheVersionIs(t *testing.T) {
	t.Parallel()
	commit := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}}
	unset := app.Build{Version: "dev", Revision: "unknown"}
	for sentence, c := range map[string]struct {
		linker, want app.Build
		info         debug.BuildInfo
	}{
		"what the linker was told": {
			linker: app.Build{Version: "v1.2.3", Revision: "def"}, want: app.Build{Version: "v1.2.3", Revision: "def"},
			info: debug.BuildInfo{Main: debug.Module{Version: "v9.9.9"}, Settings: commit},
		},
		"that of go install": {
			linker: unset, want: app.Build{Version: "v0.1.0", Revision: "unknown"},
			info: debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}},
		},
		"the checkout's, with its commit": {
			linker: unset, want: app.Build{Version: "v0.0.0-20261130-abc+dirty", Revision: "abc"},
			info: debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-20261130-abc+dirty"}, Settings: commit},
		},
		"dev where nobody knows": {
			linker: unset, want: unset, info: debug.BuildInfo{Main: debug.Module{Version: "(devel)"}},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, stamped(c.linker, &c.info))
		})
	}
}
