package databasetest

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// RunVariable is in the environment of every process that the tests start, and names
// the folder of their temporary files. What they start with an environment of its own
// has to be given it.
const RunVariable = "TEST_RUN"

// contain makes sure that no process and no file outlives the tests, which may be
// killed: temporary files get a folder of their own, which is removed at their end, when
// whoever has RunVariable is killed. That looks into /proc, so on Linux alone.
func contain() (release func() error, err error) {
	dir, err := os.MkdirTemp("", "polar-bridge-tests-")
	if err != nil {
		return nil, err
	}
	// A mounted file system would keep its folder.
	const script = `cat
		for round in 1 2 3 4 5; do
			left=$(grep -lzsFx "` + RunVariable + `=$0" /proc/[0-9]*/environ | cut -d/ -f3)
			[ -n "$left" ] || break
			kill -9 $left
			sleep 0.1
		done
		awk -v dir="$0/" 'index($2, dir) == 1 { print $2 }' /proc/mounts 2>/dev/null | xargs -r umount -l
		rm -rf "$0"`
	if release, err = watch(nil, script, dir); err != nil {
		return nil, err
	}
	const passedThrough = 0o711 // by the user of servers
	err = errors.Join(os.Chmod(dir, passedThrough), os.Setenv("TMPDIR", dir), os.Setenv(RunVariable, dir))
	return release, err
}

// watch runs a script of the shell, as another user if wanted, which begins with cat: a
// process of its own that waits for the end of its input, which is ours, however that
// comes.
func watch(credential *syscall.Credential, script string, args ...string) (release func() error, err error) {
	command := exec.Command("sh", append([]string{"-c", script}, args...)...) //nolint:gosec,noctx // our own arguments; ends with us
	command.Dir, command.Env = "/", []string{"PATH=" + os.Getenv("PATH")}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Setsid: true} // an interrupt is for the tests alone
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	return func() error { return errors.Join(input.Close(), command.Wait()) }, command.Start()
}
