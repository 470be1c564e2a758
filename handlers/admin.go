package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/polar-bridge/polar-bridge/metrics"
)

// readyTimeout is how long the answer to a readiness probe may take.
const readyTimeout = 2 * time.Second

// AdminOptions configure the admin listener's handler.
type AdminOptions struct {
	// Gatherer has what /metrics shows.
	Gatherer metrics.Gatherer
	// Ready says why webhooks should not be sent here; nil when they may be.
	// It gives up when ctx ends.
	Ready func(ctx context.Context) error
	// Console is what is under /ui, nil for nothing. It authenticates and
	// protects itself.
	Console http.Handler
	// Logger gets what goes wrong here.
	Logger *zap.Logger
}

// exposition serves the metrics to Prometheus.
func exposition(o AdminOptions) http.Handler {
	std, err := zap.NewStdLogAt(o.Logger, zapcore.ErrorLevel)
	if err != nil { // Only for a level that does not exist.
		std = zap.NewStdLog(o.Logger)
	}
	return metrics.Handler(o.Gatherer, std)
}

// readyz says whether webhooks may be sent here; with ?verbose also why not.
func readyz(ready func(ctx context.Context) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), readyTimeout)
		defer cancel()
		err := ready(ctx)
		if err == nil {
			return c.String(http.StatusOK, "ok")
		}
		if c.QueryParams().Has("verbose") {
			return c.String(http.StatusServiceUnavailable, "not ready: "+err.Error())
		}
		return c.String(http.StatusServiceUnavailable, "not ready")
	}
}
