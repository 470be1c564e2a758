package database

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// What is wrong with a database URL. None of them quotes it: it may hold a
// password, and where one begins is not sure in what cannot be read.
var (
	errNoScheme = errors.New("the database URL must begin with sqlite: or postgres://")
	errMemory   = errors.New("SQLite needs a file, for example sqlite:polar-bridge.db: what is only in memory is lost")
	errHost     = errors.New("a SQLite URL names no host: write sqlite:polar-bridge.db for a file in the folder where polar-bridge is started, " +
		"or sqlite:/data/polar-bridge.db with one slash for a full path")
	errPostgresURL = errors.New("the Postgres URL cannot be parsed: write postgres://user:password@host:5432/name with special characters percent-encoded")
	errUnencoded   = errors.New("the Postgres URL has an @ or # where none can be: the password holds a character that must be percent-encoded " +
		"(/ is %2F, ? is %3F, # is %23, @ is %40)")
)

// sqlitePath returns the path in what follows sqlite: in a URL.
func sqlitePath(rest string) (string, error) {
	if rest == "" || strings.Contains(rest, ":memory:") {
		return "", errMemory
	}
	// sqlite:///data/x.db is usual for /data/x.db, and sqlite://x.db for who knows what.
	if strings.HasPrefix(rest, "//") && !strings.HasPrefix(rest, "///") {
		return "", errHost
	}
	return rest, nil
}

// Place says for people where the database is that a URL names, without its secrets.
func Place(address string) (string, error) {
	if rest, found := strings.CutPrefix(address, "sqlite:"); found {
		path, err := sqlitePath(rest)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		return fmt.Sprintf("the SQLite file %q", path), err
	}
	config, err := parsePostgres(address)
	if err != nil {
		return "", err
	}
	server := config.ConnConfig
	return fmt.Sprintf("the PostgreSQL database %q at %q", server.Database, net.JoinHostPort(server.Host, strconv.Itoa(int(server.Port)))), nil
}

// parsePostgres reads the URL of a Postgres server.
func parsePostgres(address string) (*pgxpool.Config, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, errPostgresURL
	}
	// With a raw @, /, ? or # in a password the rest of it would be looked up as a
	// host, sent as the database's name, and printed.
	if strings.Count(authority(address), "@") > 1 || strings.Contains(parsed.Path, "@") || strings.Contains(address, "#") || slices.ContainsFunc(slices.Collect(maps.Keys(parsed.Query())), isHost) {
		return nil, errUnencoded
	}
	config, err := pgxpool.ParseConfig(address)
	if err == nil {
		return config, nil
	}
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		return nil, fmt.Errorf("a file that the Postgres URL names cannot be read: %w", file)
	}
	if names := unusable(parsed); len(names) > 0 {
		return nil, fmt.Errorf("the Postgres URL has a value that cannot be used: correct %s", strings.Join(names, ", "))
	}
	return nil, errPostgresURL
}

// authority is what stands between the scheme and the path: user, password, hosts.
func authority(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return rest
}

// isHost says of a parameter's name that it is the end of a password with a raw ?.
func isHost(name string) bool { return strings.Contains(name, "@") }

// unusable returns the parameters without which the URL can be parsed.
func unusable(address *url.URL) (names []string) {
	for name := range address.Query() {
		without, query := *address, address.Query()
		query.Del(name)
		without.RawQuery = query.Encode()
		if _, err := pgxpool.ParseConfig(without.String()); err == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// setsExecMode reports whether the operator says how statements are sent.
func setsExecMode(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && parsed.Query().Has("default_query_exec_mode")
}
