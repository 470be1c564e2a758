package cli

import (
	"time"

	"github.com/polar-bridge/polar-bridge/internal/database"
)

// JudgeFile returns what doctor says of a SQLite file, by the check's name.
func JudgeFile(file database.File) map[string]string {
	d := &doctor{}
	d.judgeReach(database.Inspection{Dialect: database.SQLite, File: &file}, nil)
	d.judgeFile(file)
	said := map[string]string{}
	for _, check := range d.report.Checks {
		said[check.Name] = check.Status + ": " + check.Detail
	}
	return said
}

// Since reads a point in time as --since does.
func Since(text string, now time.Time) (time.Time, error) { return parseMoment(text, now) }

// Harmless returns a cell as export writes it.
func Harmless(cell string) string { return harmless(cell) }
