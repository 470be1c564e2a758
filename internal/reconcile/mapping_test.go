package reconcile_test

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/reconcile"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func TestCustomersAreCountedByTheirExternalIDs(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := newHarness(t, db)
		for i := range 950 { // the older half has none, as before the checkout set it
			c := polartest.Customer{ExternalID: fmt.Sprint("user_", i), CreatedAt: start().Add(time.Duration(i) * time.Minute)}
			if i < 500 {
				c.ExternalID = ""
			} else if i%10 == 0 {
				c.ExternalID = fmt.Sprint("shop-", i)
			}
			h.polar.AddCustomer(c)
		}
		counter := h.sweeper(t, func(o *reconcile.Options) { o.IsUsers = regexp.MustCompile("^user_").MatchString })
		last, err := counter.LastMapping(t.Context())
		require.NoError(t, err)
		require.Zero(t, last, "nobody has counted yet")

		sample, err := counter.CountMapping(t.Context(), 3)
		require.NoError(t, err)
		require.Equal(t, 950, sample.Total)
		require.Equal(t, [3]int{45, 5, 200}, [3]int{sample.Present, sample.Foreign, sample.Absent}, "pages 1, 5 and 10")
		require.Equal(t, 3, h.polar.Calls())

		all, err := counter.CountMapping(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, [3]int{405, 45, 500}, [3]int{all.Present, all.Foreign, all.Absent})
		require.Equal(t, 950, all.Counted())
		require.Equal(t, h.polar.Calls(), h.limiter.acquired, "each request has its permit")

		require.NoError(t, counter.SaveMapping(t.Context(), sample))
		all.Owner = "" // the database is bound to nobody yet
		require.NoError(t, counter.SaveMapping(t.Context(), all))
		last, err = counter.LastMapping(t.Context())
		require.NoError(t, err)
		require.Equal(t, all, last, "and not another organization's")

		counts, err := counter.Sweep(t.Context(), reconcile.Limits{Share: 1}, collect(new([]reconcile.Orphan)))
		require.NoError(t, err)
		require.Equal(t, [3]int{405, 45, 500}, [3]int{counts.Mapping.Present, counts.Mapping.Foreign, counts.Mapping.Absent})
	})
}

func TestOrganizationsAreNoMissingUsers(t *testing.T) {
	t.Parallel()
	h := sqlite(t)
	h.populate(20, 0)
	h.polar.AddCustomer(polartest.Customer{ExternalID: "org_living", CreatedAt: start().AddDate(0, -1, 0)})
	var orphans []reconcile.Orphan
	counts, err := h.sweeper(t, func(o *reconcile.Options) {
		o.Source.OwnsID = func(string) bool { return true } // as where ids may have any form
	}).Sweep(t.Context(), reconcile.Limits{Share: 1}, collect(&orphans))
	require.NoError(t, err)
	require.Empty(t, orphans)
	require.Equal(t, 1, counts.Foreign)
}
