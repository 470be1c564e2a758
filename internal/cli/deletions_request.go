package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/queue/ops"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

type requestCommand struct {
	ExternalID externalID     `name:"external-id" placeholder:"ID" help:"Whose customer: the external id at Polar."`
	File       string         `name:"file" placeholder:"PATH" help:"Several: a file with one external id a line, at most 10000; - is stdin."`
	UserID     externalID     `name:"user-id" placeholder:"ID" help:"The user's id at the identity provider, if it is not the external id."`
	Provider   string         `name:"provider" placeholder:"NAME" help:"Whose user it was, where that is not clear from the settings."`
	Because    operatorReason `name:"because" required:"" placeholder:"TEXT" help:"Why, for those who ask later; at most 500 bytes."`
	Although   bool           `name:"although-the-user-exists" help:"Delete the customer also if the user still exists, or the provider cannot be asked about them."`
	Yes        bool           `name:"yes" help:"Do not ask; needed where there is no terminal."`
	JSON       bool           `name:"json" help:"Print JSON, one object a line."`

	guarding
}

// guarding are the settings that say at which Polar, and by whose word that the user is
// gone, servers delete a customer.
type guarding struct {
	Polar        config.Polar        `embed:"" group:"Polar"`
	Providers    kong.Plugins        `embed:"" group:"Identity providers"`
	Directory    config.Directory    `embed:"" group:"Identity providers' APIs"`
	AuthDatabase config.AuthDatabase `embed:"" group:"Auth database"`
	Work         config.Work         `embed:"" group:"Deletions"`
}

func (g *guarding) all(providers provider.Registry) settings.All {
	return settings.All{
		Config:    &config.Config{Polar: g.Polar, Directory: g.Directory, AuthDatabase: g.AuthDatabase, Work: g.Work, Providers: g.Providers},
		Providers: providers,
	}
}

// Help is shown below the flags' list.
func (*requestCommand) Help() string {
	return `The deletion goes into the servers' queue and meets the guards that every other meets. A customer about whom a deletion waits or is held is left alone. The identity provider is asked first where its credentials are set, and again right before the deletion: a user who still exists is refused. Delete the user there instead, unless the customer is to go alone.`
}

// Validate wants one id or a file.
func (c *requestCommand) Validate() error {
	switch {
	case (c.ExternalID == "") == (c.File == ""):
		return errors.New("say whose customer: either --external-id or --file")
	case c.UserID != "" && c.File != "":
		return errors.New("--user-id goes with --external-id, not with --file")
	}
	return nil
}

// requested is what is printed of one.
type requested struct {
	ExternalID string              `json:"external_id"` // whose customer
	Result     string              `json:"result"`      // requested, left_alone or refused
	ID         *int64              `json:"deletion_id"` // the new one, or that because of which it was left alone; null when it was refused
	State      deletion.State      `json:"state"`       // of the one because of which it was left alone
	Reason     deletion.HoldReason `json:"hold_reason"` // of the one because of which it was left alone
	Why        string              `json:"why"`         // it was refused
}

// Run puts deletions into the queue.
func (c *requestCommand) Run(ctx context.Context, env *Env, s *session, loader *config.Loader, providers provider.Registry) error {
	if err := loader.Load(&c.Polar, &c.Directory, &c.AuthDatabase, &c.Work, providers); err != nil {
		return err
	}
	p, err := s.openPolar(ctx, env, c.Polar)
	if err != nil {
		return err
	}
	defer p.client.CloseIdleConnections()
	if !p.gate.Open() {
		return errors.New("the database belongs to another Polar organization than POLAR_ACCESS_TOKEN: nothing is put into its queue")
	}
	candidates, err := c.candidates(ctx, env, s, c.all(providers))
	if err != nil {
		return err
	}
	acceptor := s.Acceptor(c.Work.DryRun)
	requests, refused, err := c.sort(ctx, env, acceptor, candidates)
	if err != nil {
		return err
	}
	if len(requests) > 0 {
		if err := env.confirm(c.Yes, c.question(ctx, p, requests)); err != nil {
			return err
		}
	}
	results, err := acceptor.Request(ctx, requests, string(c.Because))
	for i, r := range results {
		err = errors.Join(err, c.print(env, requests[i].ExternalID, r))
	}
	if err == nil && refused > 0 {
		err = fmt.Errorf("%s refused", plural(refused, "request"))
	}
	return err
}

// sort returns what is to be asked about, and says what becomes of the others.
func (c *requestCommand) sort(ctx context.Context, env *Env, acceptor ops.Acceptor, candidates []ops.Candidate) (requests []ops.Request, refused int, err error) {
	var good []ops.Request
	for _, one := range candidates {
		if one.Refused == "" {
			good = append(good, one.Request)
			continue
		}
		refused++
		fmt.Fprintf(env.Stderr, "polar-bridge: %q: %s\n", one.ExternalID, one.Refused)
		if c.JSON {
			err = errors.Join(err, printJSON(env.Stdout, requested{ExternalID: one.ExternalID, Result: "refused", Why: one.Refused}))
		}
	}
	standings, leftErr := acceptor.LeftAloneOnRequest(ctx, good)
	if err := errors.Join(err, leftErr); err != nil {
		return nil, refused, err
	}
	for i, r := range standings {
		if r.LeftAlone.State == "" {
			requests = append(requests, good[i])
			continue
		}
		err = errors.Join(err, c.print(env, good[i].ExternalID, r))
	}
	return requests, refused, err
}

// print says what became of one that was not refused.
func (c *requestCommand) print(env *Env, externalID string, r ops.Requested) error {
	line := requested{ExternalID: externalID, Result: "requested", ID: &r.ID, State: r.LeftAlone.State, Reason: r.LeftAlone.Reason}
	text := fmt.Sprintf("deletion %d: requested for %q", r.ID, externalID)
	if line.State != "" {
		line.Result = "left_alone"
		text = fmt.Sprintf("%q is left alone: %s", externalID, r.LeftAloneBy())
	}
	return printAs(env, c.JSON, line, text)
}

// question says what is going to be deleted; of one customer, what Polar has.
func (c *requestCommand) question(ctx context.Context, p polarAccess, requests []ops.Request) string {
	if c.File != "" {
		return fmt.Sprintf("Request %s; the customers that Polar has with these external ids will be deleted for good, and their subscriptions end",
			plural(len(requests), "deletion"))
	}
	question := fmt.Sprintf("Request the deletion of %q", requests[0].ExternalID)
	if c.Yes { // nobody reads it
		return question
	}
	return question + "; " + ops.AtPolar(ctx, p.client, p.limiter.ForSweeps(), requests[0].ExternalID)
}
