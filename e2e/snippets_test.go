package e2e_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// snippets are the languages of docs/providers/standard.md, each with the file that its
// code stands in and one that calls it with the user's id.
func snippets() map[string]snippet {
	return map[string]snippet{
		"js": {"bridge.mjs", []string{"node", "call.mjs"}, map[string]string{
			"call.mjs": "import { userDeleted } from './bridge.mjs';\nawait userDeleted(process.argv[2]);\n",
		}},
		"python": {"bridge.py", []string{"python3", "call.py"}, map[string]string{
			"call.py": "import sys, bridge\nbridge.user_deleted(sys.argv[1])\n",
		}},
		"go": {"polarbridge/bridge.go", []string{"go", "run", "-trimpath", "."}, map[string]string{
			"go.mod":  "module snippet\n\ngo 1.24\n",
			"call.go": "package main\n\nimport (\n\t\"context\"\n\t\"os\"\n\n\t\"snippet/polarbridge\"\n)\n\nfunc main() {\n\tif err := polarbridge.UserDeleted(context.Background(), os.Args[1]); err != nil {\n\t\tpanic(err)\n\t}\n}\n",
		}},
		"php": {"bridge.php", []string{"php", "call.php"}, map[string]string{
			"call.php": "<?php require 'bridge.php'; userDeleted($argv[1]);\n",
		}},
	}
}

type snippet struct {
	file    string
	command []string
	files   map[string]string
}

// run starts the snippet of the page as an app that has deleted a user.
func (s snippet) run(t *testing.T, language, user, address, secret string) *backend {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write(s.file, codeBlock(t, "../docs/providers/standard.md", language))
	for name, text := range s.files {
		write(name, text)
	}
	a := &backend{Cmd: exec.CommandContext(t.Context(), s.command[0], append(s.command[1:], user)...)}
	a.Dir, a.Stdout, a.Stderr = dir, &a.said, &a.said
	a.Env = append(os.Environ(), "CGO_ENABLED=0", "POLAR_BRIDGE_URL="+address, "STANDARD_WEBHOOK_SECRET="+secret)
	require.NoError(t, a.Start())
	return a
}

type backend struct {
	*exec.Cmd

	said bytes.Buffer
}

// codeBlock returns the only code of a page that is in the language.
func codeBlock(t *testing.T, page, language string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)\n```"+language+"\n(.*?)```\n").FindAllSubmatch(text, -1)
	require.Len(t, blocks, 1, "%s: ```%s", page, language)
	return string(blocks[0][1])
}

// gateway is what stands before the program. Its first answers are faults, the others
// the program's.
type gateway struct {
	*httptest.Server

	mutex    sync.Mutex
	requests []gatewayRequest
}

type gatewayRequest struct {
	id   string
	time time.Time
}

func (g *gateway) got() []gatewayRequest {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.requests
}

// Faults of a gateway, beside statuses.
const (
	connectionClosed = -iota - 1
	neverAnswered
	answerLost // of a request that reached the program
)

func startGateway(t *testing.T, p *process, faults ...int) *gateway {
	t.Helper()
	address, err := url.Parse(p.webhooks)
	require.NoError(t, err)
	bridge := httputil.NewSingleHostReverseProxy(address)
	g := &gateway{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mutex.Lock()
		g.requests = append(g.requests, gatewayRequest{r.Header.Get("Webhook-Id"), time.Now()})
		n := len(g.requests)
		g.mutex.Unlock()
		if n > len(faults) {
			bridge.ServeHTTP(w, r)
			return
		}
		switch fault := faults[n-1]; fault {
		case answerLost:
			bridge.ServeHTTP(httptest.NewRecorder(), r)
			hangUp(w)
		case neverAnswered:
			_, _ = io.Copy(io.Discard, r.Body) // the server sees only then that the client goes
			<-r.Context().Done()
		case connectionClosed:
			hangUp(w)
		default:
			w.Header().Set("Location", "/login")
			w.WriteHeader(fault)
		}
	}))
	t.Cleanup(g.Close)
	return g
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = connection.Close() // the client sees it end in any case
	}
}

func TestSnippetsForAnOwnBackend(t *testing.T) { //nolint:tparallel // the count of deletions comes last
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t), "STANDARD_WEBHOOK_SECRET="+officialSecret)
	p := env.start(t)
	type running struct {
		*backend
		*gateway
	}
	patient, hopeless := map[string]running{}, map[string]running{}
	for language, s := range snippets() {
		env.polar.AddCustomer(polartest.Customer{ExternalID: language, CreatedAt: longAgo()})
		away := startGateway(t, p, http.StatusServiceUnavailable, answerLost, http.StatusTooManyRequests, neverAnswered, connectionClosed, http.StatusBadGateway)
		patient[language] = running{s.run(t, language, language, away.URL+"/webhooks/standard", officialSecret), away}
		down := startGateway(t, p, 503, 503, 503, 503, 503, 503, 503, 503)
		hopeless[language] = running{s.run(t, language, "nobody", down.URL, officialSecret), down}
	}
	for language, s := range snippets() {
		for name, fault := range map[string]struct {
			secret string
			status int
			says   string
		}{
			"a wrong secret": {otherKey, 0, "401"},
			"a redirection":  {officialSecret, http.StatusFound, "302"},
		} {
			t.Run(language+" fails at once and loudly: "+name, func(t *testing.T) {
				var faults []int
				if fault.status != 0 {
					faults = append(faults, fault.status)
				}
				g := startGateway(t, p, faults...)
				a := s.run(t, language, "user_1", g.URL+"/webhooks/standard", fault.secret)
				require.Error(t, a.Wait())
				require.Contains(t, a.said.String(), fault.says)
				require.Len(t, g.got(), 1, "it is tried again")
			})
		}
	}
	for language := range snippets() { //nolint:paralleltest // all have run at the same time since above
		t.Run(language+" survives a minute in which nothing is answered, with one deletion", func(t *testing.T) {
			a := patient[language]
			require.NoError(t, a.Wait(), "%s", &a.said)
			env.waitDeleted(t, []string{language}, 10*time.Second)
			requests := a.got()
			require.Len(t, requests, 7)
			for i, request := range requests {
				require.Equal(t, requests[0].id, request.id)
				if i > 0 {
					require.GreaterOrEqual(t, request.time.Sub(requests[i-1].time), time.Second<<(i-1)-10*time.Millisecond)
				}
			}
		})
		t.Run(language+" gives up loudly after a minute", func(t *testing.T) {
			a := hopeless[language]
			require.Error(t, a.Wait())
			require.Contains(t, a.said.String(), "503")
			require.Len(t, a.got(), 7)
		})
	}
	require.Equal(t, len(snippets()), env.deletes())
}
