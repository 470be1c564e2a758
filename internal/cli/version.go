package cli

import (
	"fmt"

	"github.com/alecthomas/kong"
)

type versionCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// versionReport is what is printed.
type versionReport struct {
	Version   string `json:"version"`    // the release, or dev
	Revision  string `json:"revision"`   // the commit, or unknown
	GoVersion string `json:"go_version"` // of the toolchain that built it
}

// Run prints the version.
func (c *versionCommand) Run(env *Env) error {
	b := env.build()
	return printAs(env, c.JSON, versionReport{b.Version, b.Revision, b.GoVersion},
		fmt.Sprintf("polar-bridge %s (%s, %s)", b.Version, b.Revision, b.GoVersion))
}

// versionFlag is what people try who do not know the command.
type versionFlag bool

// BeforeReset implements kong's hook, before anybody misses a command.
func (versionFlag) BeforeReset(app *kong.Kong, env *Env) error {
	defer app.Exit(exitOK)
	return (&versionCommand{}).Run(env)
}
