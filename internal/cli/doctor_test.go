package cli_test

import (
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/cli"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// examined is doctor's report.
type examined struct {
	OK               bool
	Faults, Warnings int
	Checks           []check
}

type check struct {
	Name, Status, Detail string
	Do                   string `json:"what_to_do"`
}

// find returns the check with the name.
func (e examined) find(t *testing.T, name string) check {
	t.Helper()
	for _, c := range e.Checks {
		if c.Name == name {
			return c
		}
	}
	require.FailNow(t, "no such check", name)
	return check{}
}

// examine runs doctor and wants what holds whatever is wrong: an exit code
// that fits, numbers that fit, and for each fault what to do.
func examine(t *testing.T, server *polartest.Server, changes ...string) examined {
	t.Helper()
	variables := settings()
	variables["DATABASE_URL"] = "sqlite:" + filepath.Join(t.TempDir(), "bridge.db")
	if server != nil {
		variables["POLAR_BASE_URL"] = server.URL().String()
	}
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		variables[name] = value
	}
	got := run(t, variables, "doctor", "--json")
	var e examined
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &e, json.MatchCaseInsensitiveNames(true)), got.stdout)
	count := map[string]int{}
	for _, c := range e.Checks {
		count[c.Status]++
		require.NotEmpty(t, c.Detail, c.Name)
		require.Equal(t, c.Status != "ok", c.Do != "", "%s: what to do", c.Name)
	}
	require.Equal(t, count["fault"], e.Faults)
	require.Equal(t, count["warning"], e.Warnings)
	require.Len(t, e.Checks, count["ok"]+e.Faults+e.Warnings, "another status")
	require.Equal(t, e.Faults == 0, e.OK)
	require.Equal(t, e.Faults > 0, got.code == 1, got.stderr)
	return e
}

func startPolar(t *testing.T) *polartest.Server {
	t.Helper()
	return polartest.Start(t, polartest.Options{Token: polarToken})
}

func TestDoctorTellsPolarsAnswersApart(t *testing.T) {
	t.Parallel()
	const jsonType = "application/json"
	tests := []struct {
		name         string
		fault        polartest.Fault
		polar, token string // the checks' statuses
		says, do     string // parts of the check that is not ok
	}{
		{"nothing wrong", polartest.Fault{}, "ok", "ok", "", ""},
		{"limit used up", polartest.RateLimited(7 * time.Second), "warning", "warning", "wait 7s", "lower POLAR_RATE_LIMIT"},
		{"Polar in trouble", polartest.Gateway(503), "fault", "warning", "answers 503", "tried again by themselves"},
		{"Cloudflare refuses", polartest.Challenge(), "fault", "warning", "answers 403", "says nothing about the token"},
		{"another web server", polartest.HTMLPage(), "fault", "warning", "answers 200", "Check POLAR_BASE_URL"},
		{"a redirect", polartest.Redirect("https://example.com/marker"), "fault", "warning", "answers 307", "Check POLAR_BASE_URL"},
		{"a version that is gone", polartest.VersionRemoved(), "fault", "warning", "answers 404", "Polar-Version"},
		{"a server that deletes nobody", polartest.Status(204, "", ""), "fault", "warning", "answers 204", "Check POLAR_BASE_URL"},
		{"a server that rejects", polartest.Status(422, jsonType, `{"error":"RequestValidationError"}`), "fault", "warning", `422 "RequestValidationError"`, "Check POLAR_BASE_URL"},
		{"no answer", polartest.ResetBeforeCommit(), "fault", "warning", "does not answer", "firewall"},
		{"Cloudflare refuses in JSON", polartest.Cloudflare(1020), "fault", "warning", "answers 403", "says nothing about the token"},
		{"another type of token", polartest.Status(401, jsonType, `{"error":"Unauthorized"}`), "ok", "fault", "of a type", "organization's token"},
		{"a stranger's 401", polartest.Status(401, "text/html", "<h1>marker</h1>"), "ok", "fault", "in other words than Polar's", "any proxy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := startPolar(t)
			server.SetFault(tt.fault)
			e := examine(t, server)
			polar, token := e.find(t, "polar"), e.find(t, "polar token")
			require.Equal(t, []string{tt.polar, tt.token}, []string{polar.Status, token.Status})
			wrong := polar
			if polar.Status == "ok" {
				wrong = token
			}
			require.Contains(t, wrong.Detail, tt.says)
			require.Contains(t, wrong.Do, tt.do)
			require.Equal(t, 1, server.Calls()-server.CallsOf(polartest.OperationList), "one question is enough")
		})
	}
}

func TestDoctorMakesTheMixUpOfEnvironmentsLikely(t *testing.T) {
	t.Parallel()
	server := startPolar(t)
	server.RevokeToken(polarToken)
	token := examine(t, server).find(t, "polar token")
	require.Contains(t, token.Do, "production and sandbox have tokens of their own")
}

func TestDoctorNoticesASlowPolar(t *testing.T) {
	t.Parallel()
	server := startPolar(t)
	server.SetFault(polartest.Slow(20 * time.Millisecond))
	require.Equal(t, "ok", examine(t, server).find(t, "polar").Status)
	polar := examine(t, server, "POLAR_TIMEOUT=10ms").find(t, "polar")
	require.Equal(t, "warning", polar.Status)
	require.Contains(t, polar.Detail, "longer than POLAR_TIMEOUT")
}

func TestDoctorComparesTheClocks(t *testing.T) {
	t.Parallel()
	const never = 24 * time.Hour
	for name, tt := range map[string]struct {
		off    time.Duration // of Polar's clock
		status string
		says   string
	}{
		"same":         {0, "ok", "agrees"},
		"a bit behind": {10 * time.Second, "warning", "behind Polar's"},
		"a bit ahead":  {-10 * time.Second, "warning", "ahead of Polar's"},
		"far behind":   {90 * time.Second, "fault", "behind Polar's"},
		"far ahead":    {-90 * time.Second, "fault", "ahead of Polar's"},
		"no time":      {never, "warning", "gave no time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startPolar(t)
			odd := polartest.Status(404, "application/json", `{"error":"ResourceNotFound"}`)
			odd.Header["Date"] = []string{time.Now().Add(tt.off).UTC().Format(http.TimeFormat)}
			if tt.off == never {
				odd.Header["Date"] = nil
			}
			server.SetFault(odd)
			clock := examine(t, server).find(t, "clock")
			require.Equal(t, tt.status, clock.Status)
			require.Contains(t, clock.Detail, tt.says)
		})
	}
}

func TestDoctorSendsTheTokenNowhereElse(t *testing.T) {
	t.Parallel()
	server := startPolar(t)
	for _, change := range []string{"POLAR_BASE_URL=http://user:x@" + server.URL().Host, "POLAR_SERVER=both"} {
		polar := examine(t, server, change).find(t, "polar")
		require.Equal(t, "warning", polar.Status)
		require.Contains(t, polar.Detail, "Not asked")
	}
	require.Zero(t, server.Calls())
}

func TestDoctorAsksPolarWithoutAToken(t *testing.T) {
	t.Parallel()
	e := examine(t, startPolar(t), "POLAR_ACCESS_TOKEN=")
	require.Equal(t, "ok", e.find(t, "polar").Status)
	require.Equal(t, "ok", e.find(t, "clock").Status)
	require.Equal(t, "warning", e.find(t, "polar token").Status)
	require.Equal(t, 1, e.Faults)
}

func TestDoctorSaysTheChoicesInASentence(t *testing.T) {
	t.Parallel()
	server := startPolar(t)
	for value, want := range map[string]string{"true": "ok", "false": "ok", "": "warning"} {
		anonymize := examine(t, server, "POLAR_ANONYMIZE="+value).find(t, "anonymize")
		require.Equal(t, want, anonymize.Status, value)
	}
	require.Equal(t, "warning", examine(t, server, "DRY_RUN=true").find(t, "dry run").Status)
}

func TestDoctorLooksAtPostgres(t *testing.T) {
	t.Parallel()
	address := databasetest.Postgres(t)
	server := startPolar(t)
	e := examine(t, server, "DATABASE_URL="+address)
	require.Equal(t, "ok", e.find(t, "database").Status)
	require.Contains(t, e.find(t, "database tables").Detail, "serve brings them up to date")
	require.Equal(t, "fault", examine(t, server, "DATABASE_URL="+address, "AUTO_MIGRATE=false").find(t, "database tables").Status)

	databasetest.OpenMigrated(t, address)
	require.Equal(t, "They are up to date.", examine(t, server, "DATABASE_URL="+address).find(t, "database tables").Detail)

	changed, err := url.Parse(address)
	require.NoError(t, err)
	query := changed.Query()
	query.Set("synchronous_commit", "off")
	query.Set("default_transaction_read_only", "on")
	changed.RawQuery = query.Encode()
	e = examine(t, server, "DATABASE_URL="+changed.String())
	require.Contains(t, e.find(t, "database").Detail, "takes no writes")
	require.Equal(t, "fault", e.find(t, "database").Status)
	require.Equal(t, "fault", e.find(t, "database durability").Status)
}

func TestDoctorJudgesTheFile(t *testing.T) {
	t.Parallel()
	const mebibyte = 1 << 20
	for name, tt := range map[string]struct {
		file  database.File
		check string
		want  string
	}{
		"plenty":      {database.File{Exists: true, FreeKnown: true, Free: 256 * mebibyte}, "database space", "ok: 256 MiB are free"},
		"getting low": {database.File{Exists: true, FreeKnown: true, Free: 255 * mebibyte}, "database space", "warning: 255 MiB"},
		"nearly full": {database.File{Exists: true, FreeKnown: true, Free: 31 * mebibyte}, "database space", "fault: 31 MiB"},
		"unknown":     {database.File{Exists: true}, "database space", "warning: How much"},
		"private":     {database.File{Exists: true, Mode: 0o600}, "database file mode", "ok: 0600"},
		"group reads": {database.File{Exists: true, Mode: 0o640}, "database file mode", "warning: 0640"},
		"new":         {database.File{}, "database file mode", "ok: serve will create"},
		"unwritable":  {database.File{Exists: true, Unwritable: errors.New("permission\x1b denied")}, "database", `fault: The SQLite file "" cannot be written by this user: "permission\x1b denied"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, cli.JudgeFile(tt.file)[tt.check], tt.want)
		})
	}
}

func TestDoctorSaysWhetherMetadataCanBeSearched(t *testing.T) {
	t.Parallel()
	search := func(t *testing.T, prepare func(*polartest.Server)) check {
		t.Helper()
		server := startPolar(t)
		server.AddCustomer(polartest.Customer{ExternalID: "somebody", ActiveSubscriptions: 1})
		prepare(server)
		e := examine(t, server, "POLAR_METADATA_KEY=userId")
		require.Len(t, server.Customers(), 1)
		return e.find(t, "metadata search")
	}
	for name, tt := range map[string]struct {
		prepare      func(*polartest.Server)
		status, says string
	}{
		"it can":             {func(*polartest.Server) {}, "ok", "userId"},
		"no scope":           {func(s *polartest.Server) { s.AllowToken(polarToken, polartest.TokenWriteOnly) }, "warning", "lacks the scope subscriptions:read and orders:read"},
		"one of two":         {func(s *polartest.Server) { s.AllowToken(polarToken, polartest.TokenWithoutOrders) }, "warning", "lacks the scope orders:read:"},
		"the filter ignored": {func(s *polartest.Server) { s.DropFilter("metadata[userId]") }, "warning", "Polar ignores the filter"},
		"an odd answer":      {func(s *polartest.Server) { s.FailNextOf(polartest.OperationOrders, 1, polartest.Challenge()) }, "warning", "does not list orders"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := search(t, tt.prepare)
			require.Equal(t, tt.status, found.Status)
			require.Contains(t, found.Detail, tt.says)
		})
	}
	for _, c := range examine(t, startPolar(t)).Checks {
		require.NotEqual(t, "metadata search", c.Name, "without the key")
	}
}
