package e2e_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// platformFile is what a file of deploy/ tells a platform that names one port.
type platformFile struct {
	settings   map[string]string
	health     string
	disk       string
	seconds    any // between SIGTERM and SIGKILL
	exactlyOne any
}

// readTOML reads a file by Python, which has what Go's own library lacks.
func readTOML(t *testing.T, path string, into any) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "python3", "-c", "import json,sys,tomllib;json.dump(tomllib.load(open(sys.argv[1],'rb')),sys.stdout)", path).Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(out, into))
}

func readFly(t *testing.T) platformFile {
	t.Helper()
	var fly struct {
		Env         map[string]string
		Mounts      struct{ Destination string }
		KillTimeout string `json:"kill_timeout"`
		HTTPService struct {
			InternalPort int `json:"internal_port"`
			MinRunning   int `json:"min_machines_running"`
			Checks       []struct{ Path string }
		} `json:"http_service"`
	}
	readTOML(t, "../deploy/fly.toml", &fly)
	require.Equal(t, 8080, fly.HTTPService.InternalPort)
	require.Len(t, fly.HTTPService.Checks, 1)
	return platformFile{fly.Env, fly.HTTPService.Checks[0].Path, fly.Mounts.Destination, fly.KillTimeout, fly.HTTPService.MinRunning}
}

func readRender(t *testing.T) platformFile {
	t.Helper()
	var render struct {
		Services []struct {
			NumInstances            int
			HealthCheckPath         string
			MaxShutdownDelaySeconds int
			Disk                    struct{ MountPath string }
			EnvVars                 []struct {
				Key, Value string
				Sync       *bool
			}
		}
	}
	text, err := os.ReadFile("../deploy/render.yaml")
	require.NoError(t, err)
	raw := map[string]any{}
	require.NoError(t, yaml.Unmarshal(text, &raw))
	text, err = json.Marshal(raw) // whose names are found in any case
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &render))
	s := render.Services[0]
	settings := map[string]string{}
	for _, variable := range s.EnvVars {
		if variable.Sync == nil {
			settings[variable.Key] = variable.Value
		}
	}
	return platformFile{settings, s.HealthCheckPath, s.Disk.MountPath, s.MaxShutdownDelaySeconds, s.NumInstances}
}

func readRailway(t *testing.T) platformFile {
	t.Helper()
	var railway struct {
		Deploy struct {
			StartCommand, HealthcheckPath string
			NumReplicas, DrainingSeconds  int
			OverlapSeconds                *int
		}
	}
	text, err := os.ReadFile("../deploy/railway.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &railway))
	d := railway.Deploy
	require.Equal(t, "/polar-bridge serve", d.StartCommand)
	require.Zero(t, *d.OverlapSeconds, "a second process on the file is refused")
	return platformFile{map[string]string{"DATABASE_URL": "sqlite:/data/polar-bridge.db"}, d.HealthcheckPath, "/data", d.DrainingSeconds, d.NumReplicas}
}

// What the files of deploy/ set is taken by the program, on the port that the platform names.
func TestThePlatformsFilesRun(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(*testing.T) platformFile{"fly": readFly, "render": readRender, "railway": readRailway} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := read(t)
			require.EqualValues(t, 1, file.exactlyOne)
			require.Contains(t, []any{35, "35s"}, file.seconds)
			require.Equal(t, "sqlite:"+file.disk+"/polar-bridge.db", file.settings["DATABASE_URL"])
			env := newEnvironment(t, databasetest.SQLite(t))
			for setting, value := range file.settings {
				if setting != "DATABASE_URL" {
					env.set(setting + "=" + value)
				}
			}
			delete(env.settings, "LISTEN_ADDR")
			_, port, err := net.SplitHostPort(freeAddress(t))
			require.NoError(t, err)
			env.set("PORT=" + port)
			p := env.start(t)
			require.Contains(t, p.webhooks, port)
			response, err := http.Get("http://127.0.0.1:" + port + file.health)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, http.StatusOK, response.StatusCode)
		})
	}
}
