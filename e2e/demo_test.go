package e2e_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stayingDemo is a demo that runs until the test ends, and what it printed.
type stayingDemo struct {
	printed string
	folder  string
}

func startDemo(t *testing.T) stayingDemo {
	t.Helper()
	command := exec.Command(os.Getenv(binaryVariable), "demo", "--stay")
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	var d stayingDemo
	t.Cleanup(func() {
		require.NoError(t, command.Process.Signal(syscall.SIGINT))
		require.NoError(t, command.Wait())
		require.NoDirExists(t, d.folder)
	})
	for lines := bufio.NewReader(output); !strings.Contains(d.printed, "The log follows."); {
		line, err := lines.ReadString('\n')
		require.NoError(t, err, d.printed)
		d.printed += line
	}
	d.folder = d.find(t, `All is in (\S+): the database`)
	require.DirExists(t, d.folder)
	return d
}

// find returns what the expression's group is in what was printed.
func (d stayingDemo) find(t *testing.T, expression string) string {
	t.Helper()
	found := regexp.MustCompile(expression).FindStringSubmatch(d.printed)
	require.NotNil(t, found, "%s\n%s", expression, d.printed)
	return found[1]
}

// blocks returns what can be copied, by the sentence before it.
func (d stayingDemo) blocks() (sentences, commands []string) {
	for _, found := range regexp.MustCompile(`(?m)^(\S.*)\n\n((?:  .*\n)+)`).FindAllStringSubmatch(d.printed, -1) {
		if strings.HasPrefix(found[2], "  . ") {
			sentences, commands = append(sentences, found[1]), append(commands, found[2])
		}
	}
	return sentences, commands
}

// shell runs commands as another terminal does.
func shell(t *testing.T, commands string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sh", "-e", "-c", commands)
	command.Dir, command.Env = t.TempDir(), []string{"PATH=" + os.Getenv("PATH")}
	said, err := command.CombinedOutput()
	require.NoError(t, err, "%s\n%s", commands, said)
	return string(said)
}

// ends waits until the customer's deletion is done so.
func (d stayingDemo) ends(t *testing.T, externalID, outcome string) {
	t.Helper()
	require.Eventually(t, func() bool {
		said := shell(t, ". "+d.folder+"/env\npolar-bridge deletions list --external-id "+externalID)
		return regexp.MustCompile(`done +clerk +` + externalID + ` +` + outcome).MatchString(said)
	}, time.Minute, 100*time.Millisecond)
}

func TestWhatTheDemoPrintsToTryWorksAsItStandsThere(t *testing.T) { //nolint:tparallel // one after the other, as people do
	t.Parallel()
	demo := startDemo(t)
	expected := []struct {
		sentence string
		says     []string // expressions
		deleted  string   // whom it has deleted in the end
	}{
		{"A deletion is held", []string{
			`(?m)^(\d+) +held +clerk +user_demo_team +team +webhook +`,
			`(?m)^state +held, team$`, `deletion \d+: approved, will be tried now`,
		}, "user_demo_team"},
		{"Pause", []string{`(?m)^paused$`, `"status":"accepted"`, `(?m)^paused +operator, since .*: to try it$`, `(?m)^resumed$`}, "user_demo_cleo"},
		{"Have Polar fail", []string{`"status":"accepted"`, `(?m)^\d+ +waiting +clerk +user_demo_dora +`}, ""},
		{"Have it work again", []string{`(?m)^external id +user_demo_dora$`}, "user_demo_dora"},
		{"Prove what was deleted", []string{
			`(?m)^\d+,clerk,.*,user_demo_ada,.*,deleted,answer,`, `(?m)^\d+,auth0,.*,auth0\|demo-ben,.*,deleted,answer,`,
			`(?m)^\d+,clerk,.*,user_demo_team,.*,deleted,answer,`, `(?m)^\d+,clerk,.*,user_demo_cleo,.*,deleted,answer,`, `(?m)^\d+,clerk,.*,user_demo_dora,.*,deleted,`,
		}, ""},
		{"Prove that the whole way works", []string{`The way from the identity provider to Polar works\.`}, ""},
	}
	sentences, commands := demo.blocks()
	require.Len(t, sentences, len(expected), demo.printed)
	for i, want := range expected { //nolint:paralleltest // each goes on from what the one before has left
		t.Run(want.sentence, func(t *testing.T) {
			require.Contains(t, sentences[i], want.sentence)
			said := shell(t, commands[i])
			for _, expression := range want.says {
				require.Regexp(t, expression, said)
			}
			if want.deleted != "" {
				demo.ends(t, want.deleted, "deleted")
			}
		})
	}
	t.Run("the console opens with its password", func(t *testing.T) { //nolint:paralleltest // of the same demo
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		address := demo.find(t, `(?m)^  console +(\S+)$`)
		client := &http.Client{Jar: jar}
		response, err := client.PostForm(address+"login", url.Values{"name": {"me"}, "password": {demo.find(t, `(?m)^  password +(\S+)$`)}})
		require.NoError(t, err)
		defer response.Body.Close() //nolint:errcheck // only read
		page, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Contains(t, string(page), "Overview")
		require.NotContains(t, string(page), "Sign in")
	})
	t.Run("its files and addresses are there", func(t *testing.T) { //nolint:paralleltest // of the same demo
		require.FileExists(t, demo.folder+"/demo.db")
		for _, expression := range []string{`(?m)^  metrics +(\S+)$`, `(?m)^  readiness +(\S+)$`} {
			response, err := http.Get(demo.find(t, expression))
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, http.StatusOK, response.StatusCode)
		}
	})
	_, tried, _ := strings.Cut(strings.ReplaceAll(demo.printed, demo.folder, "/tmp/polar-bridge-demo-1234567890"), "Still running")
	require.NotRegexp(t, `(?m)^.{81,}$`, tried)
}

// On a busy machine one of three starts is quick enough.
func TestTheDemoSaysItsFirstLineWithinASecond(t *testing.T) {
	t.Parallel()
	var took time.Duration
	for range 3 {
		started := time.Now()
		command := exec.CommandContext(t.Context(), os.Getenv(binaryVariable), "demo")
		output, err := command.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, command.Start())
		_, err = bufio.NewReader(output).ReadString('\n')
		took = ran(started)
		require.NoError(t, err)
		require.NoError(t, command.Process.Signal(syscall.SIGINT))
		_, _ = io.Copy(io.Discard, output)
		_ = command.Wait() // it was interrupted
		if took < time.Second {
			t.Logf("first line after %v", took)
			return
		}
	}
	require.Less(t, took, time.Second)
}
