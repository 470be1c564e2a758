package cli_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/cli"
	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/directory/directorytest"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	allsettings "github.com/polar-bridge/polar-bridge/internal/settings"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// TestScripts runs the whole command line as people type it. The scripts have
// these commands besides testscript's own:
//
//	bridge CODE ARGS...  runs polar-bridge, wants the exit code, and no secret in any output
//	polar [FAULT]        starts a local Polar and sets POLAR_BASE_URL
//	server               starts a server on a database of its own and sets SERVER and DATABASE_URL
//	called N             waits until the local Polar was called N times
//	sql STATEMENT        runs a statement on the database of DATABASE_URL
//	stored STATE EVENT ID [WORD]  stores a deletion: waiting, held for the reason, done with the outcome, or cancelled
//	clerk [FAULT]        starts a local Clerk and sets its credentials
//	people FROM TO [gone]  adds customers to the local Polar and, unless gone, their users to Clerk
//	auth0 [disabled]     starts a local Auth0 with two failed deliveries and sets its credentials
//	jsonout              wants JSON on the last stdout
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			variables := settings()
			for _, name := range slices.Sorted(maps.Keys(variables)) {
				env.Setenv(name, variables[name])
			}
			env.Setenv(databasetest.RunVariable, os.Getenv(databasetest.RunVariable))
			env.Setenv("DATABASE_URL", "sqlite:"+filepath.Join(env.WorkDir, "bridge.db"))
			env.Values[environmentKey{}] = &environment{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"bridge": scriptBridge, "polar": scriptPolar, "server": scriptServer,
			"called": scriptCalled, "sql": scriptSQL, "stored": scriptStored, "jsonout": scriptJSON,
			"clerk": scriptClerk, "people": scriptPeople, "auth0": scriptAuth0,
		},
	})
}

// TestMain lets the scripts run this binary as polar-bridge.
func TestMain(m *testing.M) {
	testscript.Main(withPostgres{m}, map[string]func(){
		"polar-bridge": func() {
			os.Exit(cli.Run(context.Background(), cli.Env{
				Args: os.Args[1:], Getenv: os.Getenv, Environ: os.Environ, ReadFile: os.ReadFile,
				Stdout: os.Stdout, Stderr: os.Stderr, Version: "v1.2.3", Revision: "0123abc",
			}))
		},
	})
}

// withPostgres runs the tests with a Postgres server beside them.
type withPostgres struct{ m *testing.M }

// Run implements testscript.TestingM.
func (w withPostgres) Run() int { return databasetest.Main(w.m) }

// environment is what runs beside a script.
type environment struct {
	polar *polartest.Server
	clerk *directorytest.Clerk
}

type environmentKey struct{}

func environmentOf(ts *testscript.TestScript) *environment {
	env, ok := ts.Value(environmentKey{}).(*environment)
	if !ok {
		ts.Fatalf("Setup made no environment")
	}
	return env
}

func scriptBridge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: bridge CODE ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec("polar-bridge", args[1:]...)
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		got, err = failed.ExitCode(), nil
	}
	ts.Check(err)
	for _, secret := range secrets() {
		if strings.Contains(ts.ReadFile("stdout")+ts.ReadFile("stderr"), secret) {
			ts.Fatalf("a secret was printed")
		}
	}
	if got != want {
		ts.Fatalf("exit code %d instead of %d", got, want)
	}
}

func scriptPolar(ts *testscript.TestScript, _ bool, args []string) {
	server := polartest.New(polartest.Options{Token: polarToken})
	address, err := server.Start("")
	ts.Check(err)
	ts.Defer(func() { ts.Check(server.Close()) })
	environmentOf(ts).polar = server
	switch fault := strings.Join(args, " "); fault {
	case "":
	case "revoked":
		server.RevokeToken(polarToken)
	case "read-only":
		server.AllowToken(polarToken, polartest.TokenReadOnly)
	case "wrong path":
		address += "/v2"
	case "gone":
		ts.Check(server.Close())
	default:
		ts.Fatalf("there is no fault %q", fault)
	}
	ts.Setenv("POLAR_BASE_URL", address)
}

func scriptServer(ts *testscript.TestScript, _ bool, _ []string) {
	if environmentOf(ts).polar == nil {
		scriptPolar(ts, false, nil)
	}
	environment := map[string]string{
		"POLAR_BASE_URL": ts.Getenv("POLAR_BASE_URL"), "POLAR_ACCESS_TOKEN": polarToken, "DATABASE_URL": ts.Getenv("DATABASE_URL"),
		"CLERK_WEBHOOK_SIGNING_SECRET": clerkKey, "AUTH0_WEBHOOK_TOKEN": auth0Token, "AUTH0_LOGS_TOKEN": logsToken, "AUTH0_LOGS_UNCONFIRMED": "true",
		"LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0",
	}
	all, err := allsettings.Read(config.Env{Getenv: func(name string) string { return environment[name] }}, provider.Options{Now: time.Now})
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	service, err := app.New(ctx, app.Options{Settings: all, Logger: zap.NewNop(), Now: time.Now})
	if err != nil {
		cancel()
		ts.Fatalf("start the server: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	ts.Defer(func() {
		cancel()
		ts.Check(<-done)
	})
	ts.Setenv("SERVER", "http://"+service.PublicAddr().String())
	ts.Setenv("ADMIN", service.AdminAddr().String())
}

func scriptCalled(ts *testscript.TestScript, _ bool, args []string) {
	times, err := strconv.Atoi(strings.Join(args, ""))
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ts.Check(environmentOf(ts).polar.WaitForCalls(ctx, times))
}

func scriptSQL(ts *testscript.TestScript, _ bool, args []string) {
	db, err := database.Open(context.Background(), ts.Getenv("DATABASE_URL"), database.DefaultSchema)
	ts.Check(err)
	_, err = db.Main.ExecContext(context.Background(), strings.Join(args, " "))
	ts.Check(errors.Join(err, db.Close()))
}

func scriptJSON(ts *testscript.TestScript, _ bool, _ []string) {
	var anything map[string]any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &anything); err != nil {
		ts.Fatalf("not one JSON object: %v", err)
	}
}
