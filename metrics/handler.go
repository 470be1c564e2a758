package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrapeTimeout is how long an answer to Prometheus may take.
const scrapeTimeout = 10 * time.Second

// Gatherer has metrics to show; a registry is one.
type Gatherer = prometheus.Gatherer

// ErrorLog is told what went wrong when metrics were gathered. The standard
// library's logger is one.
type ErrorLog interface {
	// Println logs its arguments as one line.
	Println(v ...any)
}

// Handler shows the metrics to Prometheus. OpenMetrics stays off: it drops
// _total from a counter's name, and then the counter polar_bridge_deletions_total
// and the gauge polar_bridge_deletions would be one. Native histograms do not
// need it.
func Handler(g Gatherer, log ErrorLog) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{ErrorLog: log, Timeout: scrapeTimeout})
}
