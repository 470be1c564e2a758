package cli

import (
	"encoding/json"
	"fmt"
)

type versionCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the version.
func (c *versionCommand) Run(env *Env) error {
	b := env.build()
	if c.JSON {
		return json.NewEncoder(env.Stdout).Encode(map[string]string{
			"version": b.Version, "revision": b.Revision, "go_version": b.GoVersion,
		})
	}
	_, err := fmt.Fprintf(env.Stdout, "polar-bridge %s (%s, %s)\n", b.Version, b.Revision, b.GoVersion)
	return err
}
