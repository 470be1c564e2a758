package console_test

import (
	"os"
	"testing"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }
