package app

import (
	"bytes"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/polar-bridge/polar-bridge/config"
)

const (
	// mostQueued bounds the bytes of lines that wait to be written, mostInfo
	// those that lines below warn may take of it. As many again are being written.
	mostQueued = 512 << 10
	mostInfo   = mostQueued / 2
	// logFlush is how long the end of the program waits for the last lines.
	logFlush = time.Second
)

// LogQueue writes log lines to a writer that may be slow, or that nobody reads,
// without ever keeping waiting whoever logs: lines gather while a write is under
// way, and what does not fit is dropped and counted, lines below warn first. Its
// memory is bounded.
//
// zap's BufferedWriteSyncer blocks when its buffer is full, and the ring buffers
// of other loggers (go-diodes, zerolog's diode) overwrite whatever is oldest,
// errors too.
type LogQueue struct {
	out    io.Writer
	done   chan struct{} // closed when nothing is written any more
	notice func(lines uint64) []byte

	mutex    sync.Mutex
	changed  *sync.Cond // there is something to write, or the end has come
	queued   batch
	unsaid   uint64 // dropped lines that no line has told of
	dropped  uint64
	finished bool
}

// batch is some whole lines.
type batch struct {
	text  []byte
	lines int
}

// NewLogQueue returns a queue that writes to out until Close.
func NewLogQueue(out io.Writer) *LogQueue {
	q := &LogQueue{out: out, done: make(chan struct{})}
	q.changed = sync.NewCond(&q.mutex)
	go q.run()
	return q
}

// Logger returns a logger whose lines go through the queue. It is called once.
func (q *LogQueue) Logger(c config.Log) (*zap.Logger, error) {
	level, encoder, err := newEncoder(c)
	if err != nil {
		return nil, err
	}
	q.mutex.Lock()
	q.notice = func(lines uint64) []byte { // says how many are missing before it
		entry := zapcore.Entry{Level: zapcore.WarnLevel, Time: time.Now(), Message: "log lines dropped"}
		line, err := encoder.Clone().EncodeEntry(entry, []zapcore.Field{zap.Uint64("lines", lines)})
		if err != nil {
			return nil // one number always encodes
		}
		return line.Bytes()
	}
	q.mutex.Unlock()
	return zap.New(zapcore.NewTee(
		zapcore.NewCore(encoder.Clone(), lane{q, mostInfo}, zap.LevelEnablerFunc(func(l zapcore.Level) bool { return l >= level && l < zapcore.WarnLevel })),
		zapcore.NewCore(encoder.Clone(), lane{q, mostQueued}, max(level, zapcore.WarnLevel)),
	)), nil
}

// Dropped is how many lines were dropped so far.
func (q *LogQueue) Dropped() uint64 {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	return q.dropped
}

// Close writes what is queued, within a second, and reports whether it could.
// What is logged afterwards is dropped.
func (q *LogQueue) Close() bool {
	q.mutex.Lock()
	q.finished = true
	q.mutex.Unlock()
	q.changed.Signal()
	enough := time.NewTimer(logFlush)
	defer enough.Stop()
	select {
	case <-q.done:
		return true
	case <-enough.C:
		return false
	}
}

// lane is how lines of some levels get into the queue.
type lane struct {
	queue *LogQueue
	most  int
}

// Write implements zapcore.WriteSyncer. It never fails and never waits.
func (l lane) Write(line []byte) (int, error) {
	q := l.queue
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.finished || len(q.queued.text)+len(line) > l.most {
		q.drop(1)
		return len(line), nil
	}
	q.queued.text = append(q.queued.text, line...)
	q.queued.lines++
	q.changed.Signal()
	return len(line), nil
}

// Sync implements zapcore.WriteSyncer.
func (lane) Sync() error { return nil }

func (q *LogQueue) drop(lines int) {
	q.dropped += uint64(lines) //nolint:gosec // it is not negative
	q.unsaid += uint64(lines)  //nolint:gosec // it is not negative
}

// run writes one batch after the other until the end. Two buffers take turns.
func (q *LogQueue) run() {
	defer close(q.done)
	var writing batch
	for finished := false; !finished; {
		var unsaid uint64
		writing, unsaid, finished = q.swap(writing)
		if unsaid > 0 && !q.write(batch{text: q.notice(unsaid)}) {
			q.mutex.Lock()
			q.unsaid += unsaid
			q.mutex.Unlock()
		}
		q.write(writing)
	}
}

// swap waits for lines or the end, takes what is queued and leaves an empty buffer
// in its place.
func (q *LogQueue) swap(written batch) (next batch, unsaid uint64, finished bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for q.queued.lines == 0 && !q.finished {
		q.changed.Wait()
	}
	next, q.queued = q.queued, batch{text: written.text[:0]}
	unsaid, q.unsaid = q.unsaid, 0
	return next, unsaid, q.finished
}

// write writes a batch and reports whether it could. What cannot be written is
// dropped: the next one tries again.
func (q *LogQueue) write(b batch) bool {
	n, err := q.out.Write(b.text)
	if err == nil {
		return true
	}
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.drop(max(b.lines-bytes.Count(b.text[:max(n, 0)], []byte("\n")), 0))
	return false
}
