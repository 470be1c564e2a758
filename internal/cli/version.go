package cli

import "fmt"

type versionCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the version.
func (c *versionCommand) Run(env *Env) error {
	b := env.build()
	return env.print(c.JSON, map[string]string{"version": b.Version, "revision": b.Revision, "go_version": b.GoVersion},
		fmt.Sprintf("polar-bridge %s (%s, %s)", b.Version, b.Revision, b.GoVersion))
}
