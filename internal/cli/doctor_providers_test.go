package cli_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/provider"
)

func TestDoctorSaysOfEveryProviderWhatItsWebhooksProve(t *testing.T) {
	t.Parallel()
	server := startPolar(t)
	variables := settings()
	variables["POLAR_BASE_URL"], variables["DATABASE_URL"] = server.URL().String(), "sqlite:"+t.TempDir()+"/bridge.db"
	report := run(t, variables, "doctor", "--verbose").stdout
	require.Regexp(t, `(?m)^PROVIDER +ON +EVENT ID SIGNED +OLD REQUESTS REFUSED +USER IDS REUSABLE +REGISTER THIS URL$`, report)
	said := map[bool]string{true: "yes", false: "no"}
	for _, e := range everyProvider() {
		require.Regexp(t, `(?m)^`+e.Name+` +(yes|no) +`+said[e.SignedID]+` +`+said[e.Timestamped]+` +`+said[e.IDsReusable]+` +\S`, report)
	}
}

func everyProvider() provider.Registry { return provider.All(provider.Options{Now: time.Now}) }
