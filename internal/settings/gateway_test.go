package settings_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAGateway(t *testing.T) {
	t.Parallel()
	const missing = "WEBHOOK_GATEWAY needs WEBHOOK_GATEWAY_SECRET."
	for name, tt := range map[string]struct {
		pairs []string
		want  []string // what is wrong
	}{
		"with its secret":                       {[]string{"WEBHOOK_GATEWAY", "hookdeck", "WEBHOOK_GATEWAY_SECRET", goodToken}, nil},
		"with the shortest retention":           {[]string{"WEBHOOK_GATEWAY", "hookdeck", "WEBHOOK_GATEWAY_SECRET", goodToken, "RETENTION", "192h"}, nil},
		"without a secret":                      {[]string{"WEBHOOK_GATEWAY", "hookdeck"}, []string{missing}},
		"that nobody knows":                     {[]string{"WEBHOOK_GATEWAY", "relay", "WEBHOOK_GATEWAY_SECRET", goodToken}, []string{`WEBHOOK_GATEWAY must be hookdeck (it is "relay").`}},
		"whose secret is too short":             {[]string{"WEBHOOK_GATEWAY", "hookdeck", "WEBHOOK_GATEWAY_SECRET", "short"}, []string{"WEBHOOK_GATEWAY_SECRET must hold a key of at least 16 bytes."}},
		"that is not named beside its secret":   {[]string{"WEBHOOK_GATEWAY_SECRET", goodToken}, []string{"WEBHOOK_GATEWAY_SECRET counts only with WEBHOOK_GATEWAY; set both or none."}},
		"whose replays would not be recognised": {[]string{"WEBHOOK_GATEWAY", "hookdeck", "WEBHOOK_GATEWAY_SECRET", goodToken, "RETENTION", "191h"}, []string{`RETENTION must be at least 192h with WEBHOOK_GATEWAY: what may come a week late must be recognised when it comes twice (it is "191h").`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := with(tt.pairs...).parse(nil, everything)
			if tt.want == nil {
				require.NoError(t, err)
				return
			}
			require.Equal(t, tt.want, problems(t, err))
		})
	}
	t.Run("has several secrets, one a line, also from a file", func(t *testing.T) {
		t.Parallel()
		w := with("WEBHOOK_GATEWAY", "hookdeck", "WEBHOOK_GATEWAY_SECRET_FILE", "/run/gateway")
		w.files["/run/gateway"] = goodToken + "\nwith, a comma 0123456\n"
		require.Equal(t, []string{goodToken, "with, a comma 0123456"}, load(t, w).Gateway.Secret.Values())
	})
}
