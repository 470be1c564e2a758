package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/authdatabase"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/settings"
)

type outboxCheckCommand struct {
	AdminURL string `name:"admin-url" placeholder:"URL" help:"Also rehearse a deletion as this administrator of the auth database, postgres://USER@HOST/NAME, and roll it back. Leave the password out and set PGPASSWORD: others see this command."`
	UserID   string `name:"user-id" placeholder:"ID" help:"Whose deletion is rehearsed: the id of a user who exists."`
	JSON     bool   `name:"json" help:"Print JSON."`

	Auth config.AuthDatabase `embed:""`
}

// Help is shown below the flags' list.
func (*outboxCheckCommand) Help() string {
	return `It compares functions, trigger, owner and everybody's rights with what polar-bridge outbox sql prints, and takes a row of the outbox and deletes it, rolled back. Nothing is changed. It exits 1 when there is a fault.

Give it the server's environment: AUTH_DATABASE_URL is a secret and has no flag.`
}

// Validate refuses half a rehearsal.
func (c *outboxCheckCommand) Validate() error {
	if (c.AdminURL == "") != (c.UserID == "") {
		return errors.New("--admin-url and --user-id need each other")
	}
	return nil
}

// Run checks, and rehearses if it is told to.
func (c *outboxCheckCommand) Run(ctx context.Context, env *Env, loader *config.Loader, providers provider.Registry) error {
	if err := loader.Load(&c.Auth); err != nil {
		return err
	}
	users, ok := settings.All{Config: &config.Config{AuthDatabase: c.Auth}, Providers: providers}.AuthUsers()
	if !ok {
		return usage("set AUTH_DATABASE_URL, and AUTH_DATABASE_SCHEMA or AUTH_DATABASE_USERS, as for serve")
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	db, err := database.Connect(c.Auth.URL.Value(), 1)
	if err != nil {
		return fmt.Errorf("AUTH_DATABASE_URL: %w", err)
	}
	defer db.Close() //nolint:errcheck // nothing was changed
	auth, err := authdatabase.New(db, users)
	if err != nil {
		return err
	}
	report, err := auth.Check(ctx)
	if err != nil {
		return err
	}
	if c.AdminURL != "" {
		if err := c.rehearse(ctx, auth); err != nil {
			report.Faults = append(report.Faults, fmt.Sprintf("The deletion of that user: %s.", err))
		}
	}
	return c.print(env, auth, report)
}

func (c *outboxCheckCommand) rehearse(ctx context.Context, auth *authdatabase.Database) error {
	admin, err := database.Connect(c.AdminURL, 1)
	if err != nil {
		return fmt.Errorf("--admin-url: %w", err)
	}
	defer admin.Close() //nolint:errcheck // all of it was rolled back
	return auth.Rehearse(ctx, admin, c.UserID)
}

// outboxReport is what is printed.
type outboxReport struct {
	OK       bool     `json:"ok"`            // there is no fault
	Instance string   `json:"instance"`      // the database's name for itself, which the deletions carry
	Soft     bool     `json:"soft_deletion"` // soft deletions are recorded too
	Faults   []string `json:"faults"`        // what is wrong, each a sentence with what to do
}

func (c *outboxCheckCommand) print(env *Env, auth *authdatabase.Database, report authdatabase.Report) error {
	text := checked(auth, report)
	if len(report.Faults) > 0 {
		text = strings.Join(report.Faults, "\n")
	}
	if c.UserID != "" && len(report.Faults) == 0 {
		text += " The deletion of that user was recorded, and was rolled back."
	}
	err := printAs(env, c.JSON, outboxReport{len(report.Faults) == 0, report.Instance, report.Soft, report.Faults}, text)
	if err == nil && len(report.Faults) > 0 {
		err = errors.New(plural(len(report.Faults), "fault") + "; run there what polar-bridge outbox sql prints, then check again")
	}
	return err
}

// checked says what is right.
func checked(auth *authdatabase.Database, report authdatabase.Report) string {
	soft := ""
	if report.Soft {
		soft = ", soft ones too"
	}
	return fmt.Sprintf("Deletions from %s in the database %s are recorded%s, and rows of the outbox can be read and deleted.", auth.From(), visible(report.Instance), soft)
}
