package console

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

const (
	// questionLasts is how long somebody may read what they are asked.
	questionLasts = 10 * time.Minute
	// maxQuestions and maxAsked bound what all of them together keep.
	maxQuestions = 64
	maxAsked     = 100_000
)

// question is what somebody is asked before anything is done: about exactly these
// deletions, as they stood then.
type question struct {
	Token string
	Verb  deletion.Verb // "" for a request by hand

	Chosen []ops.Chosen
	// Others are those among the ticked ones that the verb cannot be done to.
	Others []int64
	// More says that the filter has more than one question may be about.
	More bool
	// Back is the list that it came from, and Filter what that chose.
	Back, Filter string
	// Shown are some of them.
	Shown []queue.Record

	Request *ops.Request
	// AtPolar says what Polar has of the customer.
	AtPolar string

	expires time.Time
	// answer is what became of it, once it was carried out.
	answer *answer
	once   sync.Once
}

// answer is what was done.
type answer struct {
	Question *question
	Done     int
	// Left are those that have changed since the question, as they are now; LeftIDs are all
	// of them.
	Left    []queue.Record
	LeftIDs []int64
	// Requested is the deletion that was made by hand, or because of which none was.
	Requested *ops.Requested
	// Problem is why it ended early.
	Problem string
}

// questions are those that were asked lately. They are this server's: another replica
// does not know them.
type questions struct {
	now func() time.Time

	mutex sync.Mutex
	all   []*question // the oldest first
}

func newQuestions(now func() time.Time) *questions { return &questions{now: now} }

// ask keeps a question for ten minutes, and returns its token.
func (q *questions) ask(asked *question) string {
	asked.Token, asked.expires = rand.Text(), q.now().Add(questionLasts)
	q.mutex.Lock()
	defer q.mutex.Unlock()
	count := len(asked.Chosen)
	for _, other := range q.all {
		count += len(other.Chosen)
	}
	for len(q.all) > 0 && (len(q.all) >= maxQuestions || count > maxAsked || !q.now().Before(q.all[0].expires)) {
		count -= len(q.all[0].Chosen)
		q.all[0] = nil
		q.all = q.all[1:]
	}
	q.all = append(q.all, asked)
	return asked.Token
}

// find returns a question that is not too old.
func (q *questions) find(token string) (*question, error) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for _, asked := range q.all {
		if asked.Token == token && q.now().Before(asked.expires) {
			return asked, nil
		}
	}
	return nil, &ops.RefusedError{Sentence: "this question is older than ten minutes, or was asked by another replica, so nothing was done: start again from the list"}
}

// carryOut does what was asked, once: whoever answers again gets what became of it.
func (q *question) carryOut(act func() *answer) *answer {
	q.once.Do(func() { q.answer = act() })
	return q.answer
}
