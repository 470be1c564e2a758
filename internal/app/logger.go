package app

import (
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"github.com/polar-bridge/polar-bridge/config"
)

// NewLogger returns a logger that writes each line to w at once, as JSON or for
// people: for commands, which are over when they have spoken. See LogQueue.
func NewLogger(c config.Log, w io.Writer) (*zap.Logger, error) {
	level, encoder, err := newEncoder(c)
	if err != nil {
		return nil, err
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level)), nil
}

func newEncoder(c config.Log) (zapcore.Level, zapcore.Encoder, error) {
	level, err := zapcore.ParseLevel(c.Level)
	if err != nil {
		return 0, nil, fmt.Errorf("log level: %w", err)
	}
	encoding := zapcore.EncoderConfig{
		TimeKey: "time", LevelKey: "level", MessageKey: "msg", NameKey: "logger", StacktraceKey: "stack",
		EncodeLevel: zapcore.LowercaseLevelEncoder, EncodeTime: utcTime, EncodeDuration: zapcore.MillisDurationEncoder,
		EncodeName: zapcore.FullNameEncoder, LineEnding: zapcore.DefaultLineEnding,
	}
	if c.Format == "console" {
		encoding.EncodeLevel = zapcore.CapitalLevelEncoder
		if c.Colors {
			encoding.EncodeLevel = zapcore.CapitalColorLevelEncoder
		}
		return level, zapcore.NewConsoleEncoder(encoding), nil
	}
	if c.Format == "gcp" {
		return level, severityEncoder{zapcore.NewJSONEncoder(encoding)}, nil
	}
	return level, zapcore.NewJSONEncoder(encoding), nil
}

// severityEncoder writes the level once more under the name, and in the words, that
// Google Cloud reads: it takes a line without them for DEFAULT.
// https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity
type severityEncoder struct{ zapcore.Encoder }

// Clone implements zapcore.Encoder.
func (s severityEncoder) Clone() zapcore.Encoder { return severityEncoder{s.Encoder.Clone()} }

// EncodeEntry implements zapcore.Encoder.
func (s severityEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	severity := entry.Level.CapitalString()
	switch {
	case entry.Level == zapcore.WarnLevel:
		severity = "WARNING"
	case entry.Level > zapcore.ErrorLevel:
		severity = "CRITICAL"
	}
	return s.Encoder.EncodeEntry(entry, append([]zapcore.Field{zap.String("severity", severity)}, fields...))
}

func utcTime(t time.Time, encoder zapcore.PrimitiveArrayEncoder) {
	encoder.AppendString(t.UTC().Format(time.RFC3339Nano))
}
