package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/binding"
	"github.com/polar-bridge/polar-bridge/internal/ratelimit"
	"github.com/polar-bridge/polar-bridge/polar"
)

type rebindCommand struct {
	operatorFlag

	Because  operatorReason  `name:"because" required:"" placeholder:"TEXT" help:"Why, for those who ask later; at most 500 bytes."`
	Database config.Database `embed:"" group:"Database"`
	Polar    config.Polar    `embed:"" group:"Polar"`
	Log      config.Log      `embed:"" group:"Logs"`
}

// Help is shown below the flags' list.
func (*rebindCommand) Help() string {
	return `A database belongs to the Polar organization whose server used it first: servers of another one store webhooks and send nothing. This makes it belong to the organization of POLAR_ACCESS_TOKEN. It refuses while deletions of the other one are waiting or held. Servers notice within a minute.`
}

// Run takes the database over.
func (c *rebindCommand) Run(ctx context.Context, env *Env, loader *config.Loader) (err error) {
	if err := loader.Load(&c.Database, &c.Polar, &c.Log); err != nil {
		return err
	}
	s, err := openSession(ctx, env, c.Database, c.Log, c.By)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	p, err := s.openPolar(ctx, env, c.Polar)
	if err != nil {
		return err
	}
	defer p.client.CloseIdleConnections()
	if err := s.Rebind(ctx, p.gate.ID(), string(c.Because)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stderr, "The database belongs to this Polar organization now. Its servers begin within a minute.")
	return err
}

var errNoToken = errors.New("Polar cannot be asked: set POLAR_ACCESS_TOKEN") //nolint:staticcheck // a name begins it

// polarAccess is what a command needs to ask Polar beside servers.
type polarAccess struct {
	client  *polar.Client
	limiter *ratelimit.Limiter // the servers'
	gate    *binding.Gate
}

// limiter is the servers' limiter.
func (s *session) limiter(ctx context.Context, perMinute int) (*ratelimit.Limiter, error) {
	return ratelimit.New(ctx, ratelimit.Options{
		DB: s.db.Main, Reader: s.db.Reader, SQL: s.db.SQL, Now: time.Now, Name: "polar", PerMinute: perMinute,
	})
}

// polar is a client of the Polar that the settings name.
func (e *Env) polar(c config.Polar, timeout time.Duration) *polar.Client {
	return polar.New(polar.Options{BaseURL: c.Endpoint(), Token: c.AccessToken.Value, Timeout: timeout, UserAgent: "polar-bridge/" + e.Version, Now: time.Now})
}

// openPolar finds out which organization the token is of.
func (s *session) openPolar(ctx context.Context, env *Env, c config.Polar) (p polarAccess, err error) {
	if !c.AccessToken.IsSet() {
		return p, errNoToken
	}
	if p.limiter, err = s.limiter(ctx, c.RateLimit); err != nil {
		return p, err
	}
	p.client = env.polar(c, c.Timeout)
	p.gate = binding.New(binding.Options{
		Store: s.bindings, Polar: p.client, Limiter: p.limiter, BaseURL: c.Endpoint(), Key: s.key, Token: c.AccessToken.Value, Logger: zap.NewNop(), Now: time.Now,
	})
	return p, p.gate.Check(ctx)
}
