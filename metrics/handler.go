package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrapeTimeout is how long an answer to Prometheus may take.
const scrapeTimeout = 10 * time.Second

// Gatherer has metrics to show; a registry is one.
type Gatherer = prometheus.Gatherer

// Handler shows the metrics to Prometheus. OpenMetrics stays off, and exemplars with it:
// native histograms do not need it.
func Handler(g Gatherer, log promhttp.Logger) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{ErrorLog: log, Timeout: scrapeTimeout})
}

// NewRegistry returns a registry of its own with what Go and the process say
// about themselves. The global one is not used: any module can write to it.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return reg
}
