package app_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// program is the service as serve runs it, but for its clock: settings from
// variables, requests over HTTP, SQLite on disk, a local Polar.
type program struct {
	polar    *polartest.Server
	url      string
	admin    string // host and port
	database string
	clock    atomic.Pointer[time.Time]
	keySet   atomic.Pointer[[]byte] // that the issuer publishes, nil while it is away
	asked    atomic.Int64           // how often the issuer was asked
	registry *prometheus.Registry
	stop     func()
}

// startProgram runs the service with the variables NAME=VALUE. "KEYS" in a value
// is the address of an issuer.
func startProgram(t *testing.T, variables []string) *program {
	t.Helper()
	p := &program{polar: polartest.Start(t, polartest.Options{Token: token}), database: databasetest.SQLite(t)}
	keys := httptest.NewServer(http.HandlerFunc(p.issuer))
	t.Cleanup(keys.Close)
	environment := map[string]string{
		"POLAR_ACCESS_TOKEN": token, "POLAR_BASE_URL": p.polar.URL().String(), "POLAR_ANONYMIZE": "false", "POLAR_RATE_LIMIT": "0",
		"DATABASE_URL": p.database, "LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0",
	}
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		environment[name] = strings.ReplaceAll(value, "KEYS", keys.URL)
	}
	p.now(time.Now())
	now := func() time.Time { return *p.clock.Load() }
	all := load(t, environment, now)
	service, err := app.New(t.Context(), app.Options{Settings: all, Logger: zap.NewNop(), Now: now})
	require.NoError(t, err)
	p.admin = service.AdminAddr().String()
	p.url, p.registry = "http://"+service.PublicAddr().String(), service.Registry()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	var stopped atomic.Bool
	p.stop = func() {
		if cancel(); !stopped.Swap(true) {
			require.NoError(t, <-ended)
		}
	}
	t.Cleanup(p.stop)
	return p
}

func (p *program) issuer(w http.ResponseWriter, _ *http.Request) {
	p.asked.Add(1)
	if keySet := p.keySet.Load(); keySet != nil {
		_, _ = w.Write(*keySet) // whoever asked has gone
		return
	}
	w.WriteHeader(http.StatusBadGateway)
}

func load(t *testing.T, environment map[string]string, now func() time.Time) settings.All {
	t.Helper()
	all, err := settings.Read(config.Env{Getenv: func(name string) string { return environment[name] }}, provider.Options{Now: now})
	require.NoError(t, err)
	return all
}

func (p *program) now(at time.Time) { p.clock.Store(&at) }

// post sends a request as it stands and returns the answer.
func (p *program) post(t *testing.T, route string, header http.Header, body []byte) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/webhooks/"+route, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header = header
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

// addCustomer adds one who was there before any of the requests was made.
func (p *program) addCustomer(externalID string) {
	p.polar.AddCustomer(polartest.Customer{ExternalID: externalID, CreatedAt: time.Unix(1_500_000_000, 0)})
}

// deleted lists the external ids whose customers Polar was told to delete, in
// that order, however often.
func (p *program) deleted() []string {
	ids := []string{}
	for _, call := range p.polar.Journal() {
		if call.Method == http.MethodDelete {
			ids = append(ids, call.ExternalID)
		}
	}
	return ids
}

// waitFinished waits until so many deletions have an outcome.
func (p *program) waitFinished(t *testing.T, n float64) {
	t.Helper()
	require.Eventually(t, func() bool {
		families, err := p.registry.Gather()
		require.NoError(t, err)
		var finished float64
		for _, family := range families {
			if family.GetName() == "polar_bridge_deletions_total" {
				for _, series := range family.GetMetric() {
					finished += series.GetCounter().GetValue()
				}
			}
		}
		return finished == n
	}, 30*time.Second, 10*time.Millisecond)
}

// stored is what is on disk about one deletion.
type stored struct {
	state deletion.State
	hold  deletion.HoldReason
}

// deletions ends the program and lists what it has on disk for the route. Once it
// has ended nothing can follow.
func (p *program) deletions(t *testing.T, route string) []stored {
	t.Helper()
	p.stop()
	db, err := database.Open(t.Context(), p.database, database.DefaultSchema)
	require.NoError(t, err)
	defer db.Close() //nolint:errcheck // only read
	rows, err := db.Reader.QueryContext(t.Context(),
		"SELECT state, hold_reason FROM polar_bridge_deletions WHERE provider = ? AND event_id <> '' ORDER BY id", route)
	require.NoError(t, err)
	defer rows.Close() //nolint:errcheck // only read
	all := []stored{}
	for rows.Next() {
		var one stored
		require.NoError(t, rows.Scan(&one.state, &one.hold))
		all = append(all, one)
	}
	require.NoError(t, rows.Err())
	return all
}
