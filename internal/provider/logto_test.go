package provider_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

func TestLogtoTheBodyIdentifiesTheEvent(t *testing.T) {
	t.Parallel()
	const body = `{"event":"User.Deleted","createdAt":"2026-01-01T00:00:00.000Z","params":{"userId":"a"}}`
	first := logto(t).only(t, body)
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, first.EventID)
	require.Equal(t, first.EventID, logto(t).only(t, body).EventID)
	require.NotEqual(t, first.EventID, logto(t).only(t, strings.Replace(body, "00.000Z", "00.001Z", 1)).EventID)
}

func TestLogtoWhichIDIsTaken(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, members, want, unusable string }{
		{"only the parameter", `"params":{"userId":"a"}`, "a", ""},
		{"data is null", `"params":{"userId":"a"},"data":null`, "a", ""},
		{"data has no id", `"params":{"userId":"a"},"data":{"result":"success"}`, "a", ""},
		{"data is no object", `"params":{"userId":"a"},"data":["b"]`, "a", ""},
		{"data has an id of another type", `"params":{"userId":"a"},"data":{"id":5}`, "a", ""},
		{"both agree", `"params":{"userId":"a"},"data":{"id":"a"}`, "a", ""},
		{"both disagree", `"params":{"userId":"a"},"data":{"id":"b"}`, "", `"a"`},
		{"the parameter is not usable", `"params":{"userId":".."},"data":{"id":"b"}`, "", `".."`},
		{"no parameters", `"data":{"id":"b"}`, "b", ""},
		{"the parameter is null", `"params":{"userId":null},"data":{"id":"b"}`, "b", ""},
		{"neither", `"params":{"id":"c"},"data":{"userId":"d"},"userId":"e"`, "", deletion.MissingID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := logto(t).only(t, `{"event":"User.Deleted",`+tt.members+`}`)
			require.Equal(t, tt.want, d.ExternalID)
			require.Equal(t, tt.want, d.UserID)
			require.Equal(t, tt.unusable, d.UnusableID)
		})
	}
}

func logto(t *testing.T) *sender {
	t.Helper()
	return enabled(t, "logto", "LOGTO_WEBHOOK_SECRET", textKey)
}
