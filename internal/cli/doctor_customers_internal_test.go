package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/reconcile"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

func TestHowManyCustomersCanBeFound(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]reconcile.Mapping{
		"Polar has no customers yet.": {},
		"Polar's only customer has an external id of the form of Clerk's ids. A user's deletion finds them.":                                                                  {Total: 1, Present: 1},
		"Polar's only customer has another external id than one of the form of Clerk's ids. No user's deletion finds them: it ends as not_found, and Polar goes on charging.": {Total: 1, Foreign: 1},
		"Polar's only customer has no external id. No user's deletion finds them: it ends as not_found, and Polar goes on charging.":                                          {Total: 1, Absent: 1},
		"All 2 customers of Polar's: 2 have an external id of the form of Clerk's ids, 0 another one, 0 none. A user's deletion finds each of them.":                          {Total: 2, Present: 2},
		"A sample of 1 of Polar's 2 customers: 1 have an external id of the form of Clerk's ids, 0 another one, 0 none. A user's deletion finds each of them.":                {Total: 2, Present: 1},
	} {
		require.Equal(t, want, mappingInWords(m, settings.IDForm{Of: "Clerk"}))
	}
}
