package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/database"
)

// How much room SQLite needs. A deletion and its log take about 2 KiB.
const (
	mebibyte        = 1 << 20
	spaceForHours   = 32 * mebibyte
	spaceForComfort = 256 * mebibyte
)

// forOthers are the permissions that nobody but the owner should have: the
// file holds users' ids.
const forOthers fs.FileMode = 0o077

// checkDatabase looks at the database and changes nothing.
func (d *doctor) checkDatabase(ctx context.Context) {
	for _, name := range []string{"DATABASE_URL", "DATABASE_SCHEMA"} {
		if d.invalid[name] {
			d.warn("database", "Not looked at, because "+name+" is not valid.", "Correct it, then run doctor again.")
			return
		}
	}
	timed, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	seen, err := database.Inspect(timed, d.Config.Database.Address(), d.Config.Database.Schema)
	d.instances = seen.Instances
	d.judgeReach(seen, err)
	if err == nil {
		d.binding = &seen.Binding
		d.judgeTables(seen)
		d.judgeDurability(seen)
		if seen.Paused {
			d.warn("pause", "An operator has paused: webhooks are taken, and nothing is deleted at Polar.", "When that is no longer wanted, run: polar-bridge deletions resume")
		}
	}
	if seen.File != nil {
		d.judgeFile(*seen.File)
	}
	if err == nil && seen.Schema == nil && seen.Shared == nil && seen.Refused == nil && !seen.ReadOnly &&
		(seen.File == nil || seen.File.Exists && seen.File.Unwritable == nil) {
		if d.session, err = openSession(ctx, d.env, d.Config.Database, d.Config.Log, ""); err != nil {
			d.warnUncounted(err)
		}
	}
}

// judgeReach says whether the database answers and takes writes.
func (d *doctor) judgeReach(seen database.Inspection, err error) {
	const name = "database"
	if err != nil {
		do := "Check the path in DATABASE_URL, and that its folder exists and belongs to the user who runs serve."
		if seen.Dialect == database.Postgres {
			do = "Check host, port, user, password and sslmode in DATABASE_URL, and that the server lets this machine in."
		}
		d.fault(name, fmt.Sprintf("It does not answer: %q.", err.Error()), do)
		return
	}
	switch file := seen.File; {
	case file == nil && seen.ReadOnly:
		d.fault(name, fmt.Sprintf("PostgreSQL %q answers but takes no writes: it is a standby, or read-only by default.", seen.Version),
			"Name the primary server in DATABASE_URL.")
	case file == nil && seen.Pooled:
		d.ok(name, fmt.Sprintf("PostgreSQL %q answers through a transaction pooler; serve prepares no statements and asks for work once a second.", seen.Version))
	case file == nil && !seen.Notified:
		d.ok(name, fmt.Sprintf("PostgreSQL %q answers and sends no notifications (LISTEN); serve asks for work once a second.", seen.Version))
	case file == nil:
		d.ok(name, fmt.Sprintf("PostgreSQL %q answers.", seen.Version))
	case file.Unwritable != nil:
		d.fault(name, fmt.Sprintf("The SQLite file %q cannot be written by this user: %q.", file.Path, file.Unwritable.Error()),
			"Run doctor as the user who runs serve; if this is that user, give it the file and its folder.")
	case !file.Exists:
		d.ok(name, fmt.Sprintf("The SQLite file %q does not exist yet; serve will create it.", file.Path))
	default:
		d.ok(name, fmt.Sprintf("The SQLite file %q answers (SQLite %s).", file.Path, seen.Version))
	}
}

// judgeTables says whether the tables fit this program.
func (d *doctor) judgeTables(seen database.Inspection) {
	const name = "database tables"
	missing := seen.File != nil && !seen.File.Exists
	switch automatic := d.Config.Database.AutoMigrate; {
	case seen.Refused != nil && (automatic || seen.Schema == nil):
		d.fault(name, "serve would be refused: "+visible(seen.Refused.Error())+".", "Let the database's owner run that (docs/deploy.md), then run doctor again.")
	case seen.Shared != nil:
		d.fault(name, "serve would refuse: "+visible(seen.Shared.Error())+".", "Do that (docs/deploy.md), then run doctor again.")
	case errors.Is(seen.Schema, database.ErrNewerSchema):
		d.fault(name, "They were made by a newer polar-bridge.", "Start that version, or restore the backup made before the upgrade.")
	case errors.Is(seen.Schema, database.ErrUnreleasedSchema):
		d.fault(name, "They were made by a polar-bridge from before 0.1.0.", "Let that version finish its deletions, then set a new DATABASE_URL.")
	case seen.Schema == nil && !missing:
		d.ok(name, "They are up to date.")
	case automatic && missing:
		d.ok(name, "There are none yet; serve makes them at start (AUTO_MIGRATE).")
	case automatic:
		d.ok(name, "They are not up to date; serve brings them up to date at start (AUTO_MIGRATE).")
	default:
		d.fault(name, "They are not up to date, and AUTO_MIGRATE is false.", "Run: polar-bridge migrate")
	}
}

// judgeDurability says whether what was answered 202 survives a crash.
func (d *doctor) judgeDurability(seen database.Inspection) {
	const name = "database durability"
	var values, unsafe []string
	for _, setting := range seen.Durability {
		values = append(values, setting.Name+"="+visible(setting.Value))
		if !setting.Safe {
			unsafe = append(unsafe, setting.Name)
		}
	}
	found := strings.Join(values, ", ")
	switch {
	case seen.File != nil && !seen.File.Exists:
		d.ok(name, "serve will use journal_mode=wal and synchronous=full, and refuses a file system that does not.")
	case seen.File != nil && len(unsafe) > 0:
		d.ok(name, found+"; serve changes it to wal at start and syncs every commit (synchronous=full).")
	case seen.File != nil:
		d.ok(name, found+"; serve syncs every commit (synchronous=full).")
	case len(unsafe) == 0:
		d.ok(name, found+".")
	case strings.Contains(strings.Join(unsafe, " "), "synchronous_commit"):
		d.fault(name, found+": a crash of the server loses webhooks that were answered 202.",
			"Set synchronous_commit to on for this user or database.")
	default:
		d.warn(name, found+": a crash of the server may lose webhooks that were answered 202.",
			"Set fsync to on, unless your provider stores the log elsewhere and says that this is safe.")
	}
}

// judgeFile says whether there is room and whether strangers can read.
func (d *doctor) judgeFile(file database.File) {
	const room = "database space"
	free := fmt.Sprintf("%d MiB are free", file.Free/mebibyte)
	switch {
	case !file.FreeKnown:
		d.warn(room, "How much is free could not be found out.", "Look yourself.")
	case file.Free < spaceForHours:
		d.fault(room, free+": webhooks will soon be refused.", "Make room on the file system, or enlarge it.")
	case file.Free < spaceForComfort:
		d.warn(room, free+".", "Make room on the file system, or enlarge it.")
	default:
		d.ok(room, free+".")
	}
	const temporary = "database temporary files"
	switch {
	case file.Unwritable != nil: // said already
	case file.Temporary != nil:
		d.fault(temporary, fmt.Sprintf("%q.", file.Temporary.Error()), "Make the folder of the SQLite file writable for the user who runs serve, and make room there.")
	default:
		d.ok(temporary, "SQLite can write them beside the file.")
	}
	const mode = "database file mode"
	switch {
	case !file.Exists && file.Mode == 0:
		d.ok(mode, "serve will create the file with mode 0600.")
	case file.Mode&forOthers != 0:
		d.warn(mode, fmt.Sprintf("%04o: others than the owner can get at users' ids.", file.Mode),
			"Run: chmod 600 on the file and on those beside it that end in -wal and -shm.")
	default:
		d.ok(mode, fmt.Sprintf("%04o: only the owner can read it.", file.Mode))
	}
}
