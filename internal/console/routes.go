package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/queue"
)

const (
	// maxIDs is as many as River's console sends at once.
	maxIDs = 1000
	// maxBody has room for that many ids.
	maxBody = 64 << 10
)

// What is said to what the console does not do.
const (
	refusedDelete = "Deleting the record of a deletion is refused: it is the proof, and what a repeat is recognised by. " +
		"To end a deletion, cancel it; to let a held one through, run `polar-bridge deletions approve ID`; " +
		"to remove one person's record, run `polar-bridge deletions forget --external-id ID`."
	refusedOther = "The console does not do this; see `polar-bridge deletions --help`, " +
		"and `polar-bridge deletions approve ID` to let a held deletion through."
	cancelReason = "cancelled in the console"
)

// routes is the list of what is allowed: River UI v0.22's own routes that only
// read, four that act, and nothing else.
func routes(view http.Handler, o Options) http.Handler {
	mux := http.NewServeMux()
	for _, reading := range []string{
		"autocomplete", "features", "health-checks/{name}", "jobs", "jobs/{id}", "queues", "queues/{name}", "states", "version",
	} {
		mux.Handle("GET "+Prefix+"/api/"+reading, view)
	}
	mux.Handle("GET "+Prefix+"/{$}", view)
	mux.Handle("GET "+Prefix+"/{page...}", view)
	mux.Handle("GET "+Prefix, view) // redirects
	mux.Handle("GET "+Prefix+"/api/", refuse(refusedOther))
	mux.Handle("/", refuse(refusedOther))

	a := actions{Options: o}
	mux.Handle("POST "+Prefix+"/api/jobs/delete", refuse(refusedDelete))
	mux.HandleFunc("POST "+Prefix+"/api/jobs/retry", a.onJobs(o.Operator.RetryWaiting))
	mux.HandleFunc("POST "+Prefix+"/api/jobs/cancel", a.onJobs(func(ctx context.Context, ids []int64) error {
		return o.Operator.CancelUnfinished(ctx, ids, cancelReason)
	}))
	mux.HandleFunc("PUT "+Prefix+"/api/queues/{name}/pause", a.onQueue(o.Operator.Pause))
	mux.HandleFunc("PUT "+Prefix+"/api/queues/{name}/resume", a.onQueue(o.Operator.Resume))
	return mux
}

// refuse answers in the form in which River's console shows errors.
func refuse(sentence string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusForbidden, sentence) })
}

func say(w http.ResponseWriter, status int, sentence string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// Whoever does not read it has gone.
	_ = json.MarshalWrite(w, map[string]string{"message": sentence})
}

type actions struct{ Options }

func (a actions) onJobs(act func(ctx context.Context, ids []int64) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ids, err := readIDs(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			say(w, http.StatusBadRequest, "The request must name 1 to 1000 deletions by their ids.")
			return
		}
		a.answer(w, act(r.Context(), ids))
	}
}

func (a actions) onQueue(act func(ctx context.Context) (bool, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !queue.Pausable(r.PathValue("name")) {
			say(w, http.StatusForbidden, "There is no such queue of deletions.")
			return
		}
		_, err := act(r.Context())
		a.answer(w, err)
	}
}

func (a actions) answer(w http.ResponseWriter, err error) {
	if refused, ok := errors.AsType[*queue.RefusedError](err); ok {
		say(w, http.StatusConflict, refused.Error())
		return
	}
	if err != nil {
		a.Logger.Error("console action failed", zap.Error(err))
		say(w, http.StatusInternalServerError, "It failed; the log says why.")
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.MarshalWrite(w, map[string]string{"status": "ok"}) // whoever does not read it has gone
}

var errIDs = errors.New("no usable ids")

// readIDs reads what River's console sends: {"ids": ["1", 2]}.
func readIDs(body interface{ Read(p []byte) (int, error) }) ([]int64, error) {
	var request struct {
		IDs []jsontext.Value `json:"ids"`
	}
	if err := json.UnmarshalRead(body, &request, json.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	if len(request.IDs) == 0 || len(request.IDs) > maxIDs {
		return nil, errIDs
	}
	ids := make([]int64, len(request.IDs))
	for i, value := range request.IDs {
		id, err := strconv.ParseInt(strings.Trim(string(value), `"`), 10, 64)
		if err != nil {
			return nil, errIDs
		}
		ids[i] = id
	}
	return ids, nil
}
