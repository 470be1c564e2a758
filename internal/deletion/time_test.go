package deletion_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar"
)

// deadlines answers that there is nobody, and records how long each request had.
type deadlines struct{ left map[string]time.Duration }

func (d *deadlines) RoundTrip(request *http.Request) (*http.Response, error) {
	until, _ := request.Context().Deadline()
	d.left[request.Method] = time.Until(until)
	return &http.Response{
		StatusCode: http.StatusNotFound, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(`{"error":"ResourceNotFound"}`)),
	}, nil
}

// Otherwise a Polar that answers slowly would never delete anybody.
func TestALookupLeavesTheDELETEAsMuchTimeAsItTakes(t *testing.T) {
	t.Parallel()
	seen := &deadlines{left: map[string]time.Duration{}}
	h := newHarness(t, func(o *deletion.Options) {
		o.Polar = polar.New(polar.Options{
			BaseURL: &url.URL{Scheme: "https", Host: "polar.invalid"}, Token: func() string { return "token" },
			Timeout: 12 * time.Second, Transport: seen,
		})
	})
	_, decision := h.apply(t.Context(), attempt("user_1"))
	require.IsType(t, deletion.Done{}, decision)
	require.LessOrEqual(t, seen.left[http.MethodGet], 6*time.Second)
	require.Greater(t, seen.left[http.MethodDelete], 6*time.Second)
	require.LessOrEqual(t, seen.left[http.MethodDelete], 12*time.Second)
}
