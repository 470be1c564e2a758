package console

import (
	"sync"
	"time"
)

const (
	// freeGuesses is how many wrong passwords in a row are judged at once, and
	// guessEvery after how long one of them is forgiven.
	freeGuesses = 5
	guessEvery  = 2 * time.Second
	// freeGuessesAll and guessEveryAll are the same for all addresses together,
	// against many addresses that guess at once.
	freeGuessesAll = 100
	guessEveryAll  = 20 * time.Millisecond
	// mostGuessers bounds the memory for addresses.
	mostGuessers = 4096
)

// throttle decides whose password is judged. A right password costs nothing.
type throttle struct {
	mutex    sync.Mutex
	guessers map[string]guesses
	all      guesses
}

// guesses are wrong passwords that are not forgiven yet, as of a time.
type guesses struct {
	wrong float64
	at    time.Time
}

func newThrottle() *throttle { return &throttle{guessers: map[string]guesses{}} }

// judge asks whether the password is right, unless the guesser has to wait, and
// returns for how long. Judging is so quick that one after the other may.
func (t *throttle) judge(guesser string, now time.Time, right func() bool) (wait time.Duration) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	own := t.guessers[guesser].forgiven(now, guessEvery)
	all := t.all.forgiven(now, guessEveryAll)
	known := isSession(guesser)
	if own.wrong > freeGuesses-1 {
		return guessEvery
	}
	if !known && all.wrong > freeGuessesAll-1 {
		return time.Second
	}
	if right() {
		return 0
	}
	if len(t.guessers) >= mostGuessers {
		t.forget(now)
	}
	own.wrong++
	t.guessers[guesser] = own
	if !known {
		all.wrong++
		t.all = all
	}
	return 0
}

// forgiven is what is left of the guesses now.
func (g guesses) forgiven(now time.Time, every time.Duration) guesses {
	return guesses{max(0, g.wrong-float64(now.Sub(g.at))/float64(every)), now}
}

// forget makes room: for those whose guesses are forgiven, else for anybody. The
// bound for all together still holds then.
func (t *throttle) forget(now time.Time) {
	for guesser, g := range t.guessers {
		if g.forgiven(now, guessEvery).wrong == 0 {
			delete(t.guessers, guesser)
		}
	}
	for guesser := range t.guessers {
		if len(t.guessers) < mostGuessers {
			return
		}
		delete(t.guessers, guesser)
	}
}
