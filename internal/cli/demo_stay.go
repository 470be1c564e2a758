package cli

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// Files in the demo's folder.
const (
	polarFails      = "polar-fails" // while it is there, the local Polar fails
	demoEnvironment = "env"         // for a shell: the server's settings, and the program in its PATH
)

// thingsToTry is what stay prints.
//
//go:embed demo_stay.txt
var thingsToTry string

// stay has one deletion held, says what else to try and shows the log until ctx ends.
func (d *demo) stay(ctx context.Context, env *Env) error {
	held, err := d.hold(ctx)
	if err != nil {
		return err
	}
	if err := d.writeEnvironment(); err != nil {
		return err
	}
	_, err = strings.NewReplacer(
		"FOLDER", d.folder, "WEBHOOKS", d.webhooks, "OPERATOR", d.operator, "PASSWORD", d.environment["ADMIN_PASSWORD"],
		"POLAR", d.polar.URL().String(), "HELD", fmt.Sprint(held),
	).WriteString(env.Stdout, thingsToTry)
	for err == nil {
		select {
		case line := <-d.log:
			_, err = env.Stderr.Write(line)
		case <-ctx.Done():
			return nil
		}
	}
	return err
}

// hold sends the deletion of a team, and returns its id when it is held.
func (d *demo) hold(ctx context.Context) (id int64, err error) {
	s := scene{provider: "clerk", externalID: demoTeam, eventID: "msg_demo_3"}
	status, body, err := d.deliver(ctx, s)
	if err == nil && status != http.StatusAccepted {
		err = fmt.Errorf("the webhook about a team was answered %d %s", status, body)
	}
	if err != nil {
		return 0, err
	}
	line, err := d.log.await(ctx, []string{`"msg":"deletion held"`, s.eventID})
	if err != nil {
		return 0, fmt.Errorf("wait until the team is held: %w", err)
	}
	var held struct {
		ID int64 `json:"deletion_id"`
	}
	return held.ID, json.Unmarshal([]byte(line), &held)
}

// writeEnvironment writes what another terminal needs into the demo's folder.
func (d *demo) writeEnvironment() error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	lines := []string{"PATH=" + quoted(d.folder) + `:"$PATH"`}
	for _, name := range slices.Sorted(maps.Keys(d.environment)) {
		lines = append(lines, name+"="+quoted(d.environment[name]))
	}
	text := "export " + strings.Join(lines, "\nexport ") + "\n"
	const ownerOnly = 0o600
	return errors.Join(
		os.Symlink(program, filepath.Join(d.folder, "polar-bridge")),
		os.WriteFile(filepath.Join(d.folder, demoEnvironment), []byte(text), ownerOnly),
	)
}

// quoted is text as one word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
