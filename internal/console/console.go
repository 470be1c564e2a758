// Package console is the pages for operators, on the admin listener: what stands
// where, one deletion in full, and what can be done about it. It needs no script.
//
// It must not know how deletions are kept or carried out: it shows and does what
// queue/ops does, as the commands do. It believes the address and the headers of a
// request as they are handed to it.
package console

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/queue"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
)

// Options for New.
type Options struct {
	// Operator looks and acts; who acts is filled in for each request.
	Operator *ops.Operator
	// Password returns the one that is in force.
	Password func() string
	// Key signs sessions; it is the same on all replicas.
	Key []byte
	// ReadOnly shows everything and does nothing.
	ReadOnly bool
	// DryRun says that the server deletes nobody.
	DryRun bool

	// Depth counts what is not done.
	Depth func(ctx context.Context) (queue.Depth, error)
	// Status is what else this server knows.
	Status func(ctx context.Context) (Status, error)
	// Checks, Polar and Limiter find out what speaks against a request by hand.
	Checks  ops.Checks
	Polar   ops.Polar
	Limiter deletion.Limiter
	// CustomerURL is where Polar's dashboard shows the customer whose id is put
	// behind it, "" for nowhere.
	CustomerURL string
	// ShowID is what may be shown of a user's or customer's external id.
	ShowID func(id string) string

	Logger *zap.Logger
	Now    func() time.Time
}

//go:embed templates style.css
var files embed.FS

// console answers requests under /ui.
type console struct {
	options   Options
	templates map[string]*template.Template
	guesses   *guesses
	questions *questions
}

// maxForm bounds what a form sends, in bytes: a page of ids and a reason.
const maxForm = 64 << 10

// New returns what is under /ui.
func New(o Options) (http.Handler, error) {
	c := &console{options: o, guesses: newGuesses(o.Now), questions: newQuestions(o.Now)}
	if err := c.parse(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /ui/style.css", http.StripPrefix("/ui/", http.FileServerFS(files)))
	mux.Handle("GET /ui", http.RedirectHandler("/ui/", http.StatusSeeOther))
	mux.HandleFunc("GET /ui/login", c.showLogin)
	mux.HandleFunc("POST /ui/login", c.login)
	for pattern, page := range map[string]page{
		"GET /ui/{$}":                c.overview,
		"GET /ui/deletions":          c.list,
		"GET /ui/deletions/{id}":     c.detail,
		"GET /ui/questions/{token}":  c.showQuestion,
		"POST /ui/questions/{token}": c.answerQuestion,
		"POST /ui/choose":            c.choose,
		"GET /ui/request":            c.showRequest,
		"POST /ui/request":           c.checkRequest,
		"GET /ui/pause":              c.showPause,
		"POST /ui/pause":             c.pause,
		"POST /ui/logout":            c.logout,
		"/ui/":                       c.missing,
	} {
		mux.Handle(pattern, c.signedIn(page))
	}
	return secure(http.NewCrossOriginProtection().Handler(mux)), nil
}

// secure forbids everything that the pages do not need.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		// Not no-referrer, under which browsers send forms with the origin null.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// visit is one request of somebody who is signed in.
type visit struct {
	*http.Request

	w http.ResponseWriter
	// name is who acts, as they say themselves, or as a proxy says.
	name    string
	byProxy bool
}

// page answers a visit, or says why not.
type page func(v *visit) error

// signedIn lets only those through who are signed in.
func (c *console) signedIn(next page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := c.session(r)
		if !ok {
			http.Redirect(w, r, "/ui/login", http.StatusSeeOther)
			return
		}
		v := &visit{Request: r, w: w, name: name}
		if proxied := proxyName(r); proxied != "" {
			v.name, v.byProxy = proxied, true
		}
		if err := c.visited(v, next); err != nil {
			c.fail(v, err)
		}
	})
}

func (c *console) visited(v *visit, next page) error {
	if v.Method == http.MethodPost {
		if c.options.ReadOnly && v.URL.Path != "/ui/logout" {
			return &ops.RefusedError{Sentence: "this console is read-only (ADMIN_READ_ONLY): use polar-bridge deletions"}
		}
		if err := v.ParseForm(); err != nil {
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				return err
			}
			return invalid("The form cannot be read.")
		}
	}
	return next(v)
}

// operator acts as who visits.
func (c *console) operator(v *visit) *ops.Operator { return c.options.Operator.As("console:" + v.name) }

// invalidError is a form, or an address, that makes no sense.
type invalidError struct{ sentence string }

// Error implements error.
func (e *invalidError) Error() string { return e.sentence }

func invalid(format string, args ...any) error {
	return &invalidError{fmt.Sprintf(format, args...)}
}

// fail says why there is no answer.
func (c *console) fail(v *visit, err error) {
	status, sentence := http.StatusInternalServerError, "Something went wrong, and the server's log says what. Nothing more is known of what was to be done: look before you do it again."
	if refusal, ok := errors.AsType[*ops.RefusedError](err); ok {
		status, sentence = http.StatusConflict, refusal.Error()
	} else if wrong, ok := errors.AsType[*invalidError](err); ok {
		status, sentence = http.StatusBadRequest, wrong.sentence
	} else if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		status, sentence = http.StatusRequestEntityTooLarge, "The form is too large."
	} else {
		c.options.Logger.Error("console request failed", zap.String("route", v.Pattern), zap.Error(err))
	}
	_ = c.render(v, status, "message", "Not done", sentence) // who cannot be answered has gone
}

func (c *console) missing(v *visit) error {
	return c.render(v, http.StatusNotFound, "message", "Not found", "There is no such page.")
}

// frame is what every page shows around its own data.
type frame struct {
	Title            string
	Path             string
	Name             string
	ByProxy          bool
	ReadOnly, DryRun bool
	Now              moment
	Data             any
}

// render answers with a page.
func (c *console) render(v *visit, status int, name, title string, data any) error {
	var body bytes.Buffer
	err := c.templates[name].ExecuteTemplate(&body, "frame", frame{
		Title: title, Path: v.URL.Path, Name: v.name, ByProxy: v.byProxy, ReadOnly: c.options.ReadOnly, DryRun: c.options.DryRun,
		Now: c.moment(c.options.Now()), Data: data,
	})
	if err != nil {
		return fmt.Errorf("write the page %s: %w", name, err)
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(body.Bytes()) // who reads no more has gone
	return nil
}
