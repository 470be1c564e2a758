// Package binding ties the database to one Polar organization. Two deployments
// with one database would carry out each other's deletions, and each would look
// done at the wrong Polar.
//
// What a server accepts carries the number of its binding, and only servers of
// that binding work it. One binding is active: servers of any other one store
// webhooks and send nothing. It must not know what a deletion is, nor how rows
// are kept (queue).
package binding

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/polar"
)

const (
	// forever is longer than an answer of Polar is old.
	forever = math.MaxInt64
	// lookEvery is how often the table is read, and how often Polar is asked as
	// long as it has not said which organization it is.
	lookEvery = time.Minute
)

// Limiter gives permits to send requests to Polar.
type Limiter interface {
	Acquire(ctx context.Context, requests int) (deletion.Permit, deletion.Decision)
}

// Polar is asked for one customer, who says which organization it is.
type Polar interface {
	ListCustomers(ctx context.Context, page, limit int) (polar.Page, polar.Answer, error)
}

// Options for New.
type Options struct {
	Store   *Store
	Polar   Polar
	Limiter Limiter
	// Key is the key of digests.
	Key []byte
	// Token is Polar's. Another one may be another organization's.
	Token func() string
	// BaseURL is Polar's address: it stands in for the organization as long as
	// nobody is in the list, or Polar does not answer it.
	BaseURL *url.URL
	Logger  *zap.Logger
	Now     func() time.Time
}

// Gate says whether this process may send requests to Polar: while the database
// belongs to its organization.
type Gate struct {
	options Options

	checking sync.Mutex // guards what only Check uses
	asked    time.Time  // when Polar last said which organization it is
	this     Identity
	warned   bool

	mutex    sync.Mutex // guards the rest
	token    string     // with which Check has asked
	answered bool       // Polar has answered it, though perhaps without saying which organization it is
	doubted  bool       // Polar has shown a customer of another organization since
	current  Binding
}

// New returns a Gate that lets nothing through before Check.
func New(o Options) *Gate {
	return &Gate{options: o, this: Identity{Address: Address(o.BaseURL), Loopback: loopback(o.BaseURL)}}
}

// Address is what stands in for an organization that is not known.
func Address(base *url.URL) string {
	return strings.ToLower(base.Scheme+"://"+base.Host) + strings.TrimRight(base.EscapedPath(), "/")
}

func loopback(base *url.URL) bool {
	ip := net.ParseIP(base.Hostname())
	return base.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// ID is the binding of this process.
func (g *Gate) ID() int64 {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.current.ID
}

// Open reports whether requests may be sent: the binding of this process is the
// active one. Where that is an organization, Polar has to have answered the token
// that is in use: another one may be another organization's.
func (g *Gate) Open() bool {
	token := g.options.Token()
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.current.Active && g.token == token && (g.answered || g.current.Organization == "")
}

// Owns reports whether a customer of that organization, "" when it is not known, is
// one of this binding's. Another organization's shuts the gate until Check has asked
// Polar once more.
func (g *Gate) Owns(organization string) bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if organization == "" || g.current.Organization == "" || organization == g.current.Organization {
		return true
	}
	if g.answered {
		g.options.Logger.Error("Polar showed a customer of another organization than the database belongs to: nothing is sent; "+
			"correct POLAR_ACCESS_TOKEN, POLAR_BASE_URL or DATABASE_URL", zap.Int64("binding", g.current.ID), zap.String("organization", organization))
	}
	g.answered, g.doubted = false, true
	return false
}

// Check asks Polar, unless it has answered this token within the hour, and finds the
// binding. Only the database can fail: the address stands in for a Polar that does
// not say which organization it is.
func (g *Gate) Check(ctx context.Context) error { return g.check(ctx, time.Hour) }

// Begin is Check before anything is sent. A token that was answered before is not
// asked about: an outage of Polar must not delay a start.
func (g *Gate) Begin(ctx context.Context) error { return g.check(ctx, forever) }

func (g *Gate) check(ctx context.Context, askEvery time.Duration) error {
	g.checking.Lock()
	defer g.checking.Unlock()
	g.mutex.Lock()
	token, now, answered, doubted := g.options.Token(), g.options.Now(), g.answered, g.doubted
	g.mutex.Unlock()
	digest := g.digest(token)
	if token != g.token {
		remembered, known, err := g.options.Store.remembered(ctx, digest)
		if err != nil {
			return fmt.Errorf("read bindings: %w", err)
		}
		g.this.Organization, g.asked, answered = remembered.Organization, remembered.askedAt, known
	}
	asks := g.asked.IsZero() || doubted || now.Sub(g.asked).Abs() > askEvery
	if asks {
		answered = g.ask(ctx, now) || answered
	}
	found, err := g.options.Store.Find(ctx, g.this, now)
	if err == nil && asks && g.asked.Equal(now) {
		err = g.options.Store.answered(ctx, found.ID, digest, now)
	}
	if err != nil {
		return err
	}
	g.mutex.Lock()
	before := g.current
	g.token, g.answered, g.current = token, answered, found
	g.doubted = g.doubted && !answered
	g.mutex.Unlock()
	fields := []zap.Field{zap.Int64("binding", found.ID), zap.String("organization", g.this.Organization), zap.String("address", g.this.Address)}
	switch {
	case found.ID == before.ID && found.Active == before.Active:
	case !found.Active:
		g.options.Logger.Error("the database belongs to another Polar organization: webhooks are stored, and nothing is sent; "+
			"correct POLAR_ACCESS_TOKEN or DATABASE_URL, or take the database over with polar-bridge rebind", fields...)
	case before.ID != 0:
		g.options.Logger.Info("the database belongs to this Polar organization from now on", fields...)
	}
	return nil
}

// ask asks Polar for one customer, who says which organization it is, and reports
// whether there was an answer. One that would come to deletions as well, such as a
// refused token, is none.
func (g *Gate) ask(ctx context.Context, now time.Time) (answered bool) {
	if _, decision := g.options.Limiter.Acquire(ctx, 1); decision != nil {
		return false
	}
	page, answer, err := g.options.Polar.ListCustomers(ctx, 1, 1)
	switch answer.Result {
	case polar.ResultFound:
		if len(page.Customers) > 0 {
			g.this.Organization, g.asked = page.Customers[0].OrganizationID, now
		}
		return true
	case polar.ResultRateLimited, polar.ResultUnauthorized, polar.ResultServerError, polar.ResultNetworkError:
		return false
	case polar.ResultDeleted, polar.ResultNotFound, polar.ResultRejected, polar.ResultForbidden, polar.ResultUnexpected:
	}
	if !g.warned {
		g.warned = true
		g.options.Logger.Warn("Polar does not list customers, so its address stands in for the organization", zap.Int("polar_status", answer.StatusCode), zap.Error(err))
	}
	return true
}

// digest is what is stored of a token.
func (g *Gate) digest(token string) string {
	mac := hmac.New(sha256.New, g.options.Key)
	mac.Write([]byte("polar token " + token))
	return hex.EncodeToString(mac.Sum(nil))
}

// Run checks every minute until ctx ends.
func (g *Gate) Run(ctx context.Context) {
	for {
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return
		}
		if err := g.Check(ctx); err != nil && ctx.Err() == nil {
			g.options.Logger.Error("check which Polar organization the database belongs to", zap.Error(err))
		}
	}
}
