package e2e_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// nextClerkKey is what clerkKey is rotated to.
const nextClerkKey = "whsec_bWFya2VyLXNlY3JldC1uZXh0LW5leHQtbmV4dA=="

// mount is a secret as Kubernetes mounts it: name -> ..data/name, and
// ..data -> ..1, which is replaced by renaming another symlink over it.
type mount struct {
	dir, name string
	version   int
}

func mountSecret(t *testing.T, name, content string) *mount {
	t.Helper()
	m := &mount{dir: t.TempDir(), name: name}
	m.swap(t, content)
	require.NoError(t, os.Symlink(filepath.Join("..data", name), m.path()))
	return m
}

func (m *mount) path() string { return filepath.Join(m.dir, m.name) }

// swap puts new content in place of the old, in one step.
func (m *mount) swap(t *testing.T, content string) {
	t.Helper()
	m.version++
	version := fmt.Sprintf("..%d", m.version)
	require.NoError(t, os.Mkdir(filepath.Join(m.dir, version), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(m.dir, version, m.name), []byte(content), 0o600))
	require.NoError(t, os.Symlink(version, filepath.Join(m.dir, "..tmp")))
	require.NoError(t, os.Rename(filepath.Join(m.dir, "..tmp"), filepath.Join(m.dir, "..data")))
}

// clerkLoad signs and posts all the time, with all of the keys in turn.
type clerkLoad struct {
	mu       sync.RWMutex // held for writing, no delivery is under way
	keys     []string
	accepted atomic.Int64
}

// signWith changes the keys when what was signed with the old ones is answered.
func (l *clerkLoad) signWith(keys ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys = keys
}

func (l *clerkLoad) send(t *testing.T, p *process, id string, i int) {
	t.Helper()
	l.mu.RLock()
	defer l.mu.RUnlock()
	d, err := clerkSample(l.keys[i%len(l.keys)], id)
	status, text := p.post(t.Context(), http.DefaultClient, d)
	if err != nil || status != http.StatusAccepted {
		t.Errorf("a genuine delivery was refused: %d %s %v", status, text, err)
	}
	l.accepted.Add(1)
}

// more waits until that many more are accepted.
func (l *clerkLoad) more(t *testing.T, n int64) {
	t.Helper()
	want := l.accepted.Load() + n
	require.Eventually(t, func() bool { return l.accepted.Load() >= want }, patience, 10*time.Millisecond)
}

func clerkSample(key, id string) (delivery, error) {
	clerk, _ := everyProvider().Lookup("clerk")
	header, body, err := clerk.Sample(key, provider.Sample{ExternalID: "user_" + id, EventID: "msg_" + id, Time: time.Now()})
	return delivery{"clerk", header, body}, err
}

func clerkSigned(t *testing.T, key, id string) delivery {
	t.Helper()
	d, err := clerkSample(key, id)
	require.NoError(t, err)
	return d
}

func TestASecretRotatesUnderLoadWithoutALostWebhook(t *testing.T) {
	t.Parallel()
	env := newEnvironment(t, databasetest.SQLite(t))
	secret := mountSecret(t, "clerk", clerkKey+"\n")
	delete(env.settings, "CLERK_WEBHOOK_SIGNING_SECRET")
	env.settings["CLERK_WEBHOOK_SIGNING_SECRET_FILE"] = secret.path()
	p := env.start(t)

	load := &clerkLoad{keys: []string{clerkKey}}
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for s := range 4 {
		senders.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for i := 0; ; i++ {
				load.send(t, p, fmt.Sprintf("%d_%d", s, i), i)
				select {
				case <-tick.C:
				case <-stop:
					return
				}
			}
		})
	}
	defer senders.Wait()
	end := sync.OnceFunc(func() { close(stop) })
	defer end()
	load.more(t, 50)

	// Both, and from when the new one is known also signed with both.
	secret.swap(t, clerkKey+"\n"+nextClerkKey+"\n")
	swapped := time.Now()
	answered := func(key, id string, want int) func() bool {
		d := clerkSigned(t, key, id) // the same one all the time
		return func() bool {
			status, _ := p.post(t.Context(), http.DefaultClient, d)
			return status == want
		}
	}
	require.Eventually(t, answered(nextClerkKey, "first", http.StatusAccepted), patience, 20*time.Millisecond)
	t.Logf("the new secret was taken %s after the swap", time.Since(swapped))
	require.Less(t, ran(swapped), 3*time.Second)
	load.accepted.Add(1)
	load.signWith(clerkKey, nextClerkKey)
	load.more(t, 100)

	// What cannot be used changes nothing, and somebody is told.
	for _, unusable := range []string{"whsec_marker-secret-which-is-not-base64", clerkKey + ",whsec_bWFya2Vy", "\n"} {
		complaints := strings.Count(p.output(), `"msg":"secret not usable"`)
		secret.swap(t, unusable)
		require.Eventually(t, func() bool {
			return strings.Count(p.output(), `"msg":"secret not usable"`) > complaints
		}, patience, 10*time.Millisecond)
		load.more(t, 50)
	}
	require.Regexp(t, `"level":"error",[^\n]*"msg":"secret not usable","setting":"CLERK_WEBHOOK_SIGNING_SECRET"`, p.output())

	// The old one goes when nobody signs with it any more.
	load.signWith(nextClerkKey)
	secret.swap(t, nextClerkKey)
	swapped = time.Now()
	require.Eventually(t, func() bool {
		status, _ := p.post(t.Context(), http.DefaultClient, clerkSigned(t, clerkKey, "0_0")) // a repeat as long as it is taken
		return status == http.StatusUnauthorized
	}, patience, 20*time.Millisecond)
	require.Less(t, ran(swapped), 3*time.Second)
	load.more(t, 100)
	end()
	senders.Wait()
	p.waitMetric(t, `polar_bridge_deletions_total{outcome="not_found",provider="clerk"}`, float64(load.accepted.Load()), 60*time.Second)
	t.Logf("%d events", load.accepted.Load())
	p.noSecrets(t)
}

// Texts of what strangers and users send.
const (
	privateMail = "private.mail@person.example" // stands in bodies
	mailAsID    = "email|mail.as.id@id.example" // is an external id
)

func TestNothingSecretIsSaidOrKept(t *testing.T) {
	t.Parallel()
	databasetest.EachURL(t, func(t *testing.T, database string) {
		if address, err := url.Parse(database); err == nil && address.Scheme == "postgres" {
			address.User = url.UserPassword(address.User.Username(), "marker-secret-password")
			database = address.String()
		}
		env := newEnvironment(t, database, "LOG_LEVEL=debug", "POLAR_TIMEOUT=1s", "ADMIN_PASSWORD=marker-secret-password")
		p := env.start(t)
		sent := p.sayEverything(t, env)
		require.Eventually(t, func() bool { return p.sum(t, "polar_bridge_deletions_total{") == 8 }, 60*time.Second, 50*time.Millisecond, p)
		metrics := p.scrape(t)
		stored := dump(t, database)
		require.NoError(t, p.command.Process.Signal(syscall.SIGQUIT)) // what a crash would print
		<-p.exited
		p.says(t, "goroutine 1 ")
		require.Contains(t, stored, mailAsID, "the search looks where ids are")
		for where, text := range map[string]string{"output": p.output(), "metrics": metrics, "database": stored} {
			nothingOf(t, where, text, sent)
		}
		require.NotContains(t, p.output(), mailAsID)
		require.NotContains(t, p.output(), "/v1/customers/external/")
		for _, run := range env.failures(t) {
			nothingOf(t, strings.Join(run.command.Args[1:], " "), run.output(), sent)
		}
	})
}

// nothingOf requires that a text has no secret, no signature and no e-mail.
func nothingOf(t *testing.T, where, text string, sent []delivery) {
	t.Helper()
	lower := strings.ToLower(text)
	for _, secret := range []string{"marker", fmt.Sprintf("%x", "marker"), privateMail, "person.example"} {
		require.NotContains(t, lower, secret, where)
	}
	// Base64 of "marker" at its three alignments.
	for _, secret := range []string{"bWFya2Vy", "1hcmtlc", "tYXJrZX"} {
		require.NotContains(t, text, secret, where)
	}
	for _, d := range sent {
		if _, mac, ok := strings.Cut(d.header.Get("Svix-Signature"), ","); ok {
			require.NotContains(t, text, mac, where)
		}
	}
}

// sayEverything sends what may not be repeated, to every end that it can come to.
func (p *process) sayEverything(t *testing.T, env *environment) []delivery {
	t.Helper()
	now := time.Now()
	mail := `"email":"` + privateMail + `"`
	for _, operation := range []polartest.Operation{polartest.OperationGet, polartest.OperationDelete} {
		for _, fault := range []polartest.Fault{
			polartest.InternalError(), polartest.ResetBeforeCommit(), polartest.Hang(), polartest.Gateway(502), polartest.RateLimited(time.Second),
		} {
			env.polar.FailNextOf(operation, 1, fault)
		}
	}
	var sent []delivery
	say := func(status int, d delivery) {
		p.deliver(t, d, status)
		sent = append(sent, d)
	}
	user := `{"type":"user.deleted","data":{"object":"user","deleted":true,` + mail + `,"id":"`
	for i := range 5 {
		say(202, signBody(t, fmt.Sprint("msg_", i), user+fmt.Sprint("user_", i)+`"}}`, now))
	}
	say(202, signBody(t, "msg_mail", user+mailAsID+`"}}`, now))
	say(202, signBody(t, "msg_unusable", `{"type":"user.deleted","data":{"object":"user","deleted":true,`+mail+`,"id":5}}`, now))
	say(200, signBody(t, "msg_other", `{"type":"user.updated","data":{`+mail+`}}`, now))
	say(400, signBody(t, "msg_broken", `{"type":"user.deleted","data":{`+mail+`,`, now))
	say(401, signBody(t, "msg_stale", user+`u"}}`, now.Add(-time.Hour)))
	say(401, signedWith(t, "whsec_bWFya2VyLXNlY3JldC1mb3JnZWQtZm9yZ2Vk"))
	say(401, auth0Delivery("Bearer marker-secret-wrong-token", `{`+mail+`}`))
	say(202, auth0Delivery("Bearer "+auth0Token, `{"specversion":"1.0","type":"user.deleted","id":"evt_1","data":{"object":{`+mail+`,"user_id":"auth0|1"}}}`))
	say(202, delivery{"auth0-logs", http.Header{"Authorization": {logsToken}}, []byte(`{"log_id":"1","data":{"type":"sdu","user_name":"` + privateMail + `","user_id":"auth0|2"}}`)})
	say(404, delivery{"marker-secret?token=marker-secret", http.Header{}, []byte(mail)})
	say(415, signBody(t, "msg_packed", user, now).with("Content-Encoding", "marker-secret"))
	return sent
}

// scrape returns all metrics.
func (p *process) scrape(t *testing.T) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.operator+"/metrics", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

// sum returns the sum of all series that begin like this.
func (p *process) sum(t *testing.T, series string) float64 {
	t.Helper()
	var sum float64
	for line := range strings.SplitSeq(p.scrape(t), "\n") {
		if !strings.HasPrefix(line, series) {
			continue
		}
		number, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]), 64)
		require.NoError(t, err)
		sum += number
	}
	return sum
}

// dump returns all that a database holds: the files of SQLite with the log, and
// the rows of Postgres.
func dump(t *testing.T, database string) string {
	t.Helper()
	var all strings.Builder
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
			content, err := os.ReadFile(path + suffix)
			require.NoError(t, err)
			all.Write(content)
		}
		return all.String()
	}
	rows, err := databasetest.Handle(t, database).QueryContext(t.Context(), `SELECT query_to_xml('SELECT * FROM ' || quote_ident(table_schema) || '.' || quote_ident(table_name), true, false, '')::text
		FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')`)
	require.NoError(t, err)
	defer rows.Close() //nolint:errcheck // only read
	for rows.Next() {
		var table string
		require.NoError(t, rows.Scan(&table))
		all.WriteString(table)
	}
	require.NoError(t, rows.Err())
	return all.String()
}

// failures are the runs of the program that say most about settings.
func (env *environment) failures(t *testing.T) []*process {
	t.Helper()
	refused := "postgres://user:marker-secret-password@127.0.0.1:1/database?sslmode=disable"
	var runs []*process
	for _, change := range []map[string]string{
		{"": "--help"},
		{"": "serve --help"},
		{"": "send --help"},
		{"": "healthcheck"},
		{"": "migrate", "DATABASE_URL": refused},
		{"": "serve", "DATABASE_URL": refused},
		{"": "serve", "DATABASE_URL": "postgres://u:marker-secret@h:port/%zz"},
		{"": "serve", "CLERK_WEBHOOK_SIGNING_SECRET": "whsec_marker-secret", "AUTH0_WEBHOOK_TOKEN": "Bearer marker-secret"},
		{"": "serve", "POLAR_ACCESS_TOKEN": "marker-secret with blanks", "ADMIN_PASSWORD": "marker"},
		{"": "serve", "POLAR_ACCESS_TOKEN_FILE": "/marker-secret"},
		{"": "serve", "POLAR_ACCESS_TOKEN": "", "POLAR_ACCESS_TOKEN_FILE": "/marker-secret"},
		{"": "serve", "POLAR_BASE_URL": "https://user:marker-secret@polar.invalid/?token=marker-secret"},
	} {
		other := &environment{polar: env.polar, database: env.database, settings: map[string]string{}}
		for _, settings := range []map[string]string{env.settings, change} {
			maps.Copy(other.settings, settings)
		}
		delete(other.settings, "")
		run := other.launch(t, strings.Fields(change[""])...)
		run.kill()
		require.NotEmpty(t, run.output(), run.command.Args)
		runs = append(runs, run)
	}
	return runs
}
