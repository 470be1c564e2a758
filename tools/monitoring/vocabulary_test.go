package monitoring_test

import (
	"strconv"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/metrics"
)

// values are a label's values; nil stands for any.
type values map[string]bool

// series are the labels of a metric.
type series map[string]values

// vocabulary is every metric that an expression may name.
type vocabulary map[string]series

// program returns the metrics of the program once all of its series exist, and
// those of others that rules may lean on.
func program(t *testing.T) vocabulary {
	t.Helper()
	registry := metrics.NewRegistry()
	names := everyProvider().Names()
	m := metrics.New(registry, metrics.Options{Providers: names, Enabled: names, Reconciled: []string{"clerk", "auth0"}, Version: "v", Revision: "r", GoVersion: "g"})
	for _, provider := range names { // histograms come with what they observe
		m.WebhookReceived(provider, metrics.WebhookAccepted, time.Second)
		m.DeletionFinished(provider, deletion.OutcomeDeleted, time.Second)
	}
	for _, operation := range metrics.PolarOperations() {
		for _, code := range metrics.PolarCodes() {
			m.PolarRequest(operation, code, time.Second)
		}
	}
	m.RateLimitWait(time.Second)
	m.SetOutboxBlocked("")
	words := vocabulary{
		"up":                                   {},
		"kubelet_volume_stats_available_bytes": {"persistentvolumeclaim": nil},
		"kubelet_volume_stats_capacity_bytes":  {"persistentvolumeclaim": nil},
	}
	words.gather(t, registry)
	for _, labels := range words {
		for _, target := range []string{"namespace", "job", "instance"} {
			labels[target] = nil // Prometheus adds them
		}
	}
	return words
}

func (v vocabulary) gather(t *testing.T, registry metrics.Gatherer) {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			switch family.GetType() {
			case dto.MetricType_HISTOGRAM:
				v.add(family.GetName()+"_sum", metric)
				v.add(family.GetName()+"_count", metric)
				v.add(family.GetName()+"_bucket", metric)
				bounds := values{"+Inf": true}
				for _, bucket := range metric.GetHistogram().GetBucket() {
					bounds[strconv.FormatFloat(bucket.GetUpperBound(), 'g', -1, 64)] = true
				}
				v[family.GetName()+"_bucket"]["le"] = bounds
			case dto.MetricType_SUMMARY:
				v.add(family.GetName()+"_sum", metric)
				v.add(family.GetName()+"_count", metric)
			default:
				v.add(family.GetName(), metric)
			}
		}
	}
}

func (v vocabulary) add(name string, metric *dto.Metric) {
	if v[name] == nil {
		v[name] = series{}
	}
	for _, label := range metric.GetLabel() {
		if v[name][label.GetName()] == nil {
			v[name][label.GetName()] = values{}
		}
		v[name][label.GetName()][label.GetValue()] = true
	}
}

// of returns the names of the labels of a metric.
func (v vocabulary) of(name string) values {
	labels := values{}
	for label := range v[name] {
		labels[label] = true
	}
	return labels
}
