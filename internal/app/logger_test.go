package app_test

import (
	"bytes"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
)

func TestGoogleCloudReadsTheSeverity(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	log, err := app.NewLogger(config.Log{Level: "debug", Format: "gcp"}, &text)
	require.NoError(t, err)
	log = log.With(zap.String("provider", "clerk")) // which clones the encoder
	log.Debug("a")
	log.Info("b", zap.Int("events", 1))
	log.Warn("c")
	log.Error("d")
	log.DPanic("e")
	var got [][2]any
	for line := range bytes.Lines(text.Bytes()) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal(line, &fields), "a name stands twice, or the line is no JSON: %s", line)
		require.Equal(t, "clerk", fields["provider"])
		got = append(got, [2]any{fields["level"], fields["severity"]})
	}
	require.Equal(t, [][2]any{{"debug", "DEBUG"}, {"info", "INFO"}, {"warn", "WARNING"}, {"error", "ERROR"}, {"dpanic", "CRITICAL"}}, got)

	text.Reset()
	log, err = app.NewLogger(config.Log{Level: "debug", Format: "json"}, &text)
	require.NoError(t, err)
	log.Info("b")
	require.NotContains(t, text.String(), "severity")
}
