package app_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
)

// pipe is written to only while somebody reads.
type pipe struct {
	reading chan struct{}
	fails   bool

	mutex sync.Mutex
	text  bytes.Buffer
}

func (p *pipe) Write(b []byte) (int, error) {
	<-p.reading
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.fails {
		return 0, errors.New("no space left on device")
	}
	return p.text.Write(b)
}

func (p *pipe) lines() []string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return strings.Split(strings.TrimSuffix(p.text.String(), "\n"), "\n")
}

func newLog(t *testing.T, out *pipe) (*app.LogQueue, *zap.Logger) {
	t.Helper()
	queue := app.NewLogQueue(out)
	log, err := queue.Logger(config.Log{Level: "debug", Format: "json"})
	require.NoError(t, err)
	return queue, log
}

func TestLogQueue(t *testing.T) {
	t.Parallel()
	long := zap.String("text", strings.Repeat("x", 1000))

	t.Run("drops lines below warn first, and bounds the others too", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			out := &pipe{reading: make(chan struct{})}
			queue, log := newLog(t, out)
			log.Info("the first is being written")
			synctest.Wait()
			for range 2000 {
				log.Info("info", long)
			}
			noticed := queue.Dropped()
			require.Positive(t, noticed)
			for range 100 {
				log.Warn("warn", long)
				log.Error("error", long)
			}
			require.Equal(t, noticed, queue.Dropped(), "there is room for what matters")
			for range 2000 {
				log.Error("flood", long)
			}
			dropped := queue.Dropped()
			require.Greater(t, dropped, noticed)

			close(out.reading)
			require.True(t, queue.Close())
			lines := out.lines()
			require.Contains(t, lines[0], "the first is being written")
			require.Regexp(t, `^\{"level":"warn","time":"[^"]+Z","msg":"log lines dropped","lines":\d+\}$`, lines[1])
			require.Equal(t, 4201, len(lines)-1+int(dropped))
			all := strings.Join(lines, "\n")
			require.Equal(t, 100, strings.Count(all, `"msg":"warn"`))
			require.Equal(t, 100, strings.Count(all, `"msg":"error"`))
			require.Less(t, len(all), 600<<10)
		})
	})
	t.Run("counts what cannot be written, and says so when it can be again", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			out := &pipe{reading: make(chan struct{}), fails: true}
			close(out.reading)
			queue, log := newLog(t, out)
			log.Info("lost")
			synctest.Wait()
			log.Error("lost too")
			synctest.Wait()
			require.EqualValues(t, 2, queue.Dropped())
			out.mutex.Lock()
			out.fails = false
			out.mutex.Unlock()
			log.Info("kept")
			require.True(t, queue.Close())
			require.Contains(t, out.lines()[0], `"msg":"log lines dropped","lines":2}`)
			require.Contains(t, out.lines()[1], `"msg":"kept"`)
		})
	})
	t.Run("keeps the end waiting for a second at most", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			out := &pipe{reading: make(chan struct{})}
			queue, log := newLog(t, out)
			log.Info("never read")
			require.False(t, queue.Close())
			close(out.reading)
		})
	})
}
