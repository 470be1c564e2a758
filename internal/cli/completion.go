package cli

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
	mangokong "github.com/alecthomas/mango-kong"
	"github.com/muesli/roff"
)

// completionCommand prints what makes a shell ask the program itself, which answers
// by its own grammar (kongplete).
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says where it belongs.
func (*completionCommand) Help() string {
	return `bash  polar-bridge completion bash >/etc/bash_completion.d/polar-bridge
zsh   polar-bridge completion zsh >>~/.zshrc
fish  polar-bridge completion fish >~/.config/fish/completions/polar-bridge.fish`
}

// Run prints it for one shell.
func (c *completionCommand) Run(env *Env) error {
	const bash = "complete -C polar-bridge polar-bridge\n"
	text := bash
	switch c.Shell {
	case "zsh":
		text = "autoload -U +X bashcompinit && bashcompinit\n" + bash
	case "fish":
		text = `function __complete_polar_bridge
    set -lx COMP_LINE (commandline -cp)
    test -z (commandline -ct); and set COMP_LINE "$COMP_LINE "
    polar-bridge
end
complete -f -c polar-bridge -a "(__complete_polar_bridge)"
`
	}
	_, err := fmt.Fprint(env.Stdout, text)
	return err
}

type manCommand struct{}

// Run prints the manual page.
func (*manCommand) Run(env *Env, app *kong.Kong) error {
	app.Model.Help = "delete the Polar customers of users who are gone" // the page's title
	details(app.Model.Node)
	page := mangokong.NewManPage(1, app.Model).Build(roff.NewDocument())
	_, err := fmt.Fprintln(env.Stdout, strings.TrimSpace(page))
	return err
}

// details moves what a command says about itself into the text that mango prints
// below its name, and not behind it.
func details(node *kong.Node) {
	node.Help, node.Detail = strings.TrimSpace(node.Help+"\n\n"+node.Detail), ""
	for _, child := range node.Children {
		details(child)
	}
}
