package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/database"
)

type backupCommand struct {
	Path     string          `arg:"" placeholder:"PATH" help:"The copy, which must not exist; - writes it to standard output."`
	Database config.Database `embed:"" group:"Database"`
}

// Help is shown below the flags' list.
func (*backupCommand) Help() string {
	return `It runs beside a server, under load. The copy has everything that was acknowledged before the command began; it is checked, and readable by its owner only. To restore it, see docs/storage.md. On PostgreSQL use pg_dump.`
}

// Run writes the copy.
func (c *backupCommand) Run(ctx context.Context, env *Env, loader *config.Loader) error {
	if err := loader.Load(&c.Database); err != nil {
		return err
	}
	to := c.Path
	if to == "-" { // by way of a file beside the database, where there is room and the right to write
		to = strings.TrimPrefix(c.Database.Address(), "sqlite:") + ".backup-" + rand.Text()
	}
	if err := database.Backup(ctx, c.Database.Address(), to); err != nil {
		return err
	}
	if to != c.Path {
		return stream(env.Stdout, to)
	}
	_, err := fmt.Fprintf(env.Stderr, "The backup %s is complete and undamaged.\n", c.Path)
	return err
}

// stream writes the file out and removes it.
func stream(to io.Writer, path string) (err error) {
	file, err := os.Open(path) //nolint:gosec // we have made it
	if err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(path)) }()
	if _, err := io.Copy(to, file); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}
