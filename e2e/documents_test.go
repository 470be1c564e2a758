package e2e_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// documented is a command of a document, and what the document says that it prints.
type documented struct {
	command string
	output  string
	// transcript says that the output is the document's, and not just left out.
	transcript bool
}

// code is a fenced block: commands, or else something that a program printed.
type code struct {
	commands []documented
	printed  string
}

// codeOf returns what a document shows of commands, in its order.
func codeOf(t *testing.T, text string) (all []code) {
	t.Helper()
	for _, fence := range regexp.MustCompile("(?ms)^( *)```(\\w*)\n(.*?)^ *```$").FindAllStringSubmatch(text, -1) {
		indent, language, block := fence[1], fence[2], strings.TrimPrefix(fence[3], fence[1])
		block = strings.ReplaceAll(block, "\n"+indent, "\n")
		switch {
		case language == "sh":
			all = append(all, code{commands: commandsOf(block)})
		case language == "" && strings.HasPrefix(block, "$ "):
			all = append(all, code{commands: transcriptsOf(block)})
		case language == "":
			all = append(all, code{printed: block})
		default:
			require.Contains(t, []string{"go", "js", "ts", "python", "php", "sql", "yaml", "mermaid", "env"}, language, "a language that nobody looks at")
		}
	}
	return all
}

// commandsOf returns the commands of a block that shows no output.
func commandsOf(block string) (commands []documented) {
	pending := ""
	for line := range strings.Lines(regexp.MustCompile(`(?m)(^| +)# .*$`).ReplaceAllString(block, "") + "\n") {
		pending += line
		open := strings.Count(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(pending, ""), "'")%2 == 1
		if line != "\n" && (open || strings.HasSuffix(line, "\\\n")) {
			continue
		}
		if command := strings.TrimSpace(pending); command != "" {
			commands = append(commands, documented{command: command})
		}
		pending = ""
	}
	return commands
}

// transcriptsOf returns the commands of a block that shows what they print.
func transcriptsOf(block string) (commands []documented) {
	for _, part := range strings.Split("\n"+block, "\n$ ")[1:] {
		command, output, _ := strings.Cut(part, "\n")
		commands = append(commands, documented{command, output, true})
	}
	return commands
}

// cannotRunHere says why a command is not run; "" is one that is. What is neither
// named here nor on this machine fails.
func cannotRunHere(command string) string {
	for start, why := range map[string]string{
		"polar-bridge serve":        "it runs already, beside all others",
		"polar-bridge outbox check": "an auth system's database: outbox_test.go runs it",
	} {
		if strings.HasPrefix(command, start) {
			return why
		}
	}
	if strings.Contains(command, "...") {
		return "a secret has to be filled in"
	}
	first, _, _ := strings.Cut(command, " ")
	switch {
	case command == "go run . demo": // the built program stands in for it
		return ""
	case regexp.MustCompile(`^[A-Za-z_]+=`).MatchString(command) && !strings.Contains(command, " polar-bridge"):
		return "settings, or another program's"
	case first == "curl" && strings.Contains(command, " http://127.0.0.1:"):
		return ""
	}
	return map[string]string{
		"kubectl": "a cluster", "helm": "a cluster", "docker": "images from the internet", "systemd-run": "an installed package",
		"curl": "the internet", "cosign": "a release", "auth0": "an account", "ssh": "another machine",
		"psql": "an auth system's database", "litestream": "a program that is not part of this",
		"make": "a target of its own in CI", "go": "a test of its own in CI", "git": "the history", "npm": "npm", "node": "npm", "cd": "npm",
	}[first]
}

// asShown makes what differs from run to run alike in documents and output.
func asShown(text string) string {
	for _, rule := range [][2]string{
		{`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?`, "TIME"},
		{`\b\d+(\.\d+)? ?(ms|µs|s|m|h|d)\b`, "LONG"},
		{`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`, "UUID"},
		{`\bpolar-bridge-selftest-\w+|\buser_polarbridge\w+`, "TEST-ID"},
		{`\bevt_[A-Z0-9]{10,}`, "EVENT"},
		{`https?://[^\s"/]+`, "ADDRESS"},
		{`\s+`, " "},
	} {
		text = regexp.MustCompile(rule[0]).ReplaceAllString(text, rule[1])
	}
	return strings.TrimSpace(text)
}

// terminal runs the command as somebody who answers every question with yes.
func (s *scene) terminal(t *testing.T, command string) (printed string, exit int) {
	t.Helper()
	script := exec.CommandContext(t.Context(), "script", "-qec", command, "/dev/null")
	script.Dir, script.Env = s.dir, append(s.variables(), "SHELL=/bin/sh", "PATH="+filepath.Dir(os.Getenv(binaryVariable))+":"+os.Getenv("PATH"))
	answers, err := script.StdinPipe()
	require.NoError(t, err)
	output, err := script.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, script.Start())
	var said bytes.Buffer
	for part := make([]byte, 4096); err == nil; {
		var n int
		n, err = output.Read(part)
		said.Write(part[:n])
		if bytes.HasSuffix(said.Bytes(), []byte("Type yes: ")) {
			_, writing := io.WriteString(answers, "yes\n")
			require.NoError(t, writing)
		}
	}
	_ = script.Wait() // its exit code says more
	return said.String(), script.ProcessState.ExitCode()
}

// Every command that the documents show is run on a server whose state is the one that
// they show, and what they say that it prints is compared: as one piece, with the
// spaces, times and made-up ids of this run.
func TestTheDocumentsCommandsPrintWhatTheDocumentsShow(t *testing.T) {
	t.Parallel()
	pages := []string{"../README.md", "../CONTRIBUTING.md", "../helm/README.md"}
	for _, pattern := range []string{"../docs/*.md", "../docs/providers/*.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		pages = append(pages, found...)
	}
	ran, compared := 0, 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		blocks := codeOf(t, string(text))
		for _, block := range blocks {
			for _, c := range block.commands {
				if cannotRunHere(c.command) == "" {
					ran++
				}
				if c.transcript {
					compared++
					require.Empty(t, cannotRunHere(c.command), "%s shows the output of %s, which nobody compares", page, c.command)
				}
			}
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			runPage(t, filepath.Base(page), blocks)
		})
	}
	require.GreaterOrEqual(t, ran, 30)
	require.GreaterOrEqual(t, compared, 9)
}

func runPage(t *testing.T, page string, blocks []code) {
	t.Helper()
	var s *scene
	var printed strings.Builder
	for _, block := range blocks {
		if block.printed != "" && !printedElsewhere(block.printed) {
			if s == nil {
				s = openScene(t, page)
			}
			s.causes(t, block.printed, &printed)
			compare(t, page, block.printed, printed.String())
		}
		for _, c := range block.commands {
			if cannotRunHere(c.command) != "" {
				continue
			}
			if s == nil {
				s = openScene(t, page)
			}
			s.run(t, c, &printed)
		}
	}
}

// run runs one command and compares what it prints.
func (s *scene) run(t *testing.T, c documented, printed *strings.Builder) {
	t.Helper()
	s.settle(t)
	want := s.exits(c)
	said, exit := s.terminal(t, s.filledIn(c.command))
	if exit != want {
		t.Errorf("%s exits %d instead of %d:\n%s", c.command, exit, want, said)
	}
	if c.transcript {
		log := regexp.MustCompile(`(?m)^\{"level":.*\n`) // on stderr, of what an operator did
		compare(t, c.command, c.output, log.ReplaceAllString(said, ""))
	}
	printed.WriteString(said + "\n")
}

// compare wants what a document shows within what was printed, and goes on: whoever
// changes an output sees all places at once.
func compare(t *testing.T, what, documented, printed string) {
	t.Helper()
	require.NotEmpty(t, asShown(documented))
	if !strings.Contains(asShown(printed), strings.TrimSuffix(asShown(documented), " …")) {
		t.Errorf("%s: the document shows\n%s\nand what is printed is\n%s", what, documented, printed)
	}
}
