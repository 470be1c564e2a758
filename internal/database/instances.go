package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// instanceOf begins the names of the rows that say which instance of an
// identity provider (at Auth0: which tenant) was asked so far. It is stored.
const instanceOf = "instance_of_"

// Instance returns the instance of the provider that was asked so far, "" for
// none.
func (db *DB) Instance(ctx context.Context, provider string) (string, error) {
	return instance(ctx, db.Reader, provider)
}

func instance(ctx context.Context, handle *sql.DB, provider string) (known string, err error) {
	err = handle.QueryRowContext(ctx, "SELECT value FROM polar_bridge_settings WHERE name = $1", instanceOf+provider).Scan(&known)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("look which instance is asked: %w", err)
	}
	return known, nil
}

// FirstInstance remembers the instance unless one is remembered, and returns
// the one that is: of several replicas one comes first.
func (db *DB) FirstInstance(ctx context.Context, provider, asked string) (string, error) {
	_, err := db.Main.ExecContext(ctx, "INSERT INTO polar_bridge_settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", instanceOf+provider, asked)
	if err != nil {
		return "", fmt.Errorf("remember which instance is asked: %w", err)
	}
	return instance(ctx, db.Main, provider)
}

// SetInstance remembers the instance in place of any other.
func (db *DB) SetInstance(ctx context.Context, provider, accepted string) error {
	_, err := db.Main.ExecContext(ctx, "INSERT INTO polar_bridge_settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
		instanceOf+provider, accepted)
	if err != nil {
		return fmt.Errorf("remember which instance is asked: %w", err)
	}
	return nil
}

// inspectInstances notes what is remembered, by provider.
func (db *DB) inspectInstances(ctx context.Context, seen *Inspection) (err error) {
	rows, err := db.Main.QueryContext(ctx, "SELECT name, value FROM polar_bridge_settings WHERE name LIKE $1", instanceOf+"%")
	if err != nil {
		return fmt.Errorf("look which instances are asked: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	seen.Instances = map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return fmt.Errorf("look which instances are asked: %w", err)
		}
		seen.Instances[strings.TrimPrefix(name, instanceOf)] = value
	}
	return rows.Err()
}
