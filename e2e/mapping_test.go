package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// examined is what doctor says of Polar's customers.
func (env *environment) examined(t *testing.T, args ...string) (detail string) {
	t.Helper()
	var report struct {
		Checks []struct{ Name, Detail string }
	}
	require.NoError(t, json.Unmarshal([]byte(env.bridge(t, 0, append([]string{"doctor", "--json"}, args...)...)), &report))
	for _, check := range report.Checks {
		if check.Name == "customers" {
			detail = check.Detail
		}
	}
	return detail
}

func TestDoctorSaysHowManyOfTenThousandCustomersCanBeFound(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		const customers = 10_000
		env := newEnvironment(t, database, "POLAR_RATE_LIMIT=0")
		for i := range customers {
			c := polartest.Customer{ExternalID: fmt.Sprintf("user_%d", i), CreatedAt: longAgo().Add(time.Duration(i) * time.Second)}
			if i%10 < 3 {
				c.ExternalID = ""
			}
			env.polar.AddCustomer(c)
		}
		const counted = `polar_bridge_polar_customers_counted_timestamp_seconds`
		p := env.start(t)
		require.Zero(t, p.metric(t, counted))
		require.Regexp(t, `^A sample of 300 of Polar's 10000 customers: 210 have an external id .*, 0 another one, 90 none\.`, env.examined(t))
		p.waitMetric(t, `polar_bridge_polar_customers{external_id="absent"}`, 90, 20*time.Second)
		require.Regexp(t, `^All 10000 customers of Polar's: 7000 have an external id .*, 0 another one, 3000 none\. Of these 3000, no user's deletion finds`, env.examined(t, "--all"))
		p.waitMetric(t, `polar_bridge_polar_customers{external_id="absent"}`, 3000, 20*time.Second)
		require.InDelta(t, 7000, p.metric(t, `polar_bridge_polar_customers{external_id="present"}`), 0)
		require.InDelta(t, 0, p.metric(t, `polar_bridge_polar_customers{external_id="foreign"}`), 0)
		require.InDelta(t, time.Now().Unix(), p.metric(t, counted), 60)
		// Nothing else changes.
		require.Len(t, env.polar.Customers(), customers)
		require.Empty(t, env.jobs(t))
		require.Contains(t, env.bridge(t, 0, "deletions", "list"), "No deletions.")
	})
}
