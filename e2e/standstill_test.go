package e2e_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// pulseVariable names the file of the machine's pulse, for the tests and for the process
// that writes it.
const (
	pulseVariable   = "POLAR_BRIDGE_E2E_PULSE"
	writingVariable = "POLAR_BRIDGE_E2E_WRITES_PULSE"
)

const (
	pulseEvery = 100 * time.Millisecond
	missed     = 500 * time.Millisecond // between two beats: the machine stood still
)

// feelPulse has the machine's pulse written while the tests run. A machine that is shared,
// as CI's is, stands still for seconds now and then, its disk or all of it. Whoever waits
// gives up meanwhile, as they shall, and what a test measures says nothing of the program.
func feelPulse() error {
	dir, err := os.MkdirTemp("", "polar-bridge-pulse-") // removed with all others
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "pulse")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	writer := exec.Command(os.Args[0])
	writer.Env = append(os.Environ(), pulseVariable+"="+file, writingVariable+"=true")
	return errors.Join(os.Setenv(pulseVariable, file), writer.Start())
}

// writePulse writes the time to the disk again and again, until it is killed or the file
// is gone.
func writePulse() {
	file, err := os.OpenFile(os.Getenv(pulseVariable), os.O_WRONLY|os.O_APPEND, 0)
	for err == nil {
		err = errors.Join(binary.Write(file, binary.BigEndian, time.Now().UnixNano()), file.Sync())
		<-time.After(pulseEvery)
		if err == nil {
			_, err = os.Stat(file.Name())
		}
	}
}

// stoodStill is how much of the time between the two the machine stood still.
func stoodStill(from, to time.Time) (still time.Duration) {
	var beats []int64
	for began := time.Now(); len(beats) == 0 || beats[len(beats)-1] < to.UnixNano(); { // the next beat comes after what is asked about
		content, err := os.ReadFile(os.Getenv(pulseVariable))
		if err != nil || time.Since(began) > patience {
			return 0 // nothing is excused that nobody has seen
		}
		beats = make([]int64, len(content)/8) // of int64
		if binary.Read(bytes.NewReader(content), binary.BigEndian, beats) == nil {
			<-time.After(pulseEvery / 4)
		}
	}
	for i := 1; i < len(beats); i++ {
		if time.Duration(beats[i]-beats[i-1]) > missed {
			still += time.Duration(max(0, min(beats[i], to.UnixNano())-max(beats[i-1], from.UnixNano())))
		}
	}
	return still
}

// ran is how long the machine has run since then.
func ran(since time.Time) time.Duration {
	now := time.Now()
	took := now.Sub(since)
	if took > missed {
		took -= stoodStill(since, now)
	}
	return took
}
