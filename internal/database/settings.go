package database

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/database/namedsql"
)

// Names of the rows of polar_bridge_settings. They are stored.
const (
	// digestKeyName is the key of LOG_EXTERNAL_ID's digests.
	digestKeyName = "digest_key"
	// instanceOf begins those that say which instance of an identity provider (at
	// Auth0: which tenant) was asked so far.
	instanceOf = "instance_of_"
)

const digestKeyBytes = 32

// DigestKey returns the key under which ids are digested for logs, made at the
// first call and the same for all replicas ever after, so that one person's
// lines can be found without naming the person.
func (db *DB) DigestKey(ctx context.Context) ([]byte, error) {
	// Commands ask beside a busy server: reading waits for nobody.
	stored, err := db.readSetting(ctx, db.Reader, digestKeyName)
	if err == nil && stored == "" {
		fresh := make([]byte, digestKeyBytes)
		_, _ = rand.Read(fresh) // never fails: https://pkg.go.dev/crypto/rand#Read
		stored, err = db.firstSetting(ctx, digestKeyName, hex.EncodeToString(fresh))
	}
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(stored)
	if err != nil {
		return nil, fmt.Errorf("decode digest key: %w", err)
	}
	return key, nil
}

// Instance returns the instance of the provider that was asked so far, "" for
// none.
func (db *DB) Instance(ctx context.Context, provider string) (string, error) {
	return db.readSetting(ctx, db.Reader, instanceOf+provider)
}

// FirstInstance remembers the instance unless one is remembered, and returns
// the one that is: of several replicas one comes first.
func (db *DB) FirstInstance(ctx context.Context, provider, asked string) (string, error) {
	return db.firstSetting(ctx, instanceOf+provider, asked)
}

// SetInstance remembers the instance in place of any other.
func (db *DB) SetInstance(ctx context.Context, provider, accepted string) error {
	_, err := db.Main.ExecContext(ctx, db.sql.StoreSetting, instanceOf+provider, accepted)
	if err != nil {
		return fmt.Errorf("remember which instance is asked: %w", err)
	}
	return nil
}

// inspectInstances notes what is remembered, by provider.
func (db *DB) inspectInstances(ctx context.Context, seen *Inspection) error {
	seen.Instances = map[string]string{}
	err := namedsql.Each(ctx, db.Main, func(row *sql.Rows) error {
		var name, value string
		err := row.Scan(&name, &value)
		seen.Instances[strings.TrimPrefix(name, instanceOf)] = value
		return err
	}, db.sql.SettingsBeginningWith, instanceOf+"%")
	if err != nil {
		return fmt.Errorf("read which instances are asked: %w", err)
	}
	return nil
}

// readSetting returns the value of a row, "" when there is none.
func (db *DB) readSetting(ctx context.Context, handle *sql.DB, name string) (value string, err error) {
	err = handle.QueryRowContext(ctx, db.sql.Setting, name).Scan(&value)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read setting %s: %w", name, err)
	}
	return value, nil
}

// firstSetting stores the value unless there is one, and returns the one there is.
func (db *DB) firstSetting(ctx context.Context, name, value string) (string, error) {
	_, err := db.Main.ExecContext(ctx, db.sql.StoreFirstSetting, name, value)
	if err != nil {
		return "", fmt.Errorf("store setting %s: %w", name, err)
	}
	return db.readSetting(ctx, db.Main, name)
}
