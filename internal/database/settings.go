package database

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
)

// digestKeyName is the row that holds the key of LOG_EXTERNAL_ID's digests.
const digestKeyName = "digest_key"

const digestKeyBytes = 32

// DigestKey returns the key under which ids are digested for logs, made at the
// first call and the same for all replicas ever after, so that one person's
// lines can be found without naming the person.
func (db *DB) DigestKey(ctx context.Context) ([]byte, error) {
	// Commands ask beside a busy server: reading waits for nobody.
	if key, err := db.readDigestKey(ctx); !errors.Is(err, sql.ErrNoRows) {
		return key, err
	}
	fresh := make([]byte, digestKeyBytes)
	if _, err := rand.Read(fresh); err != nil {
		return nil, fmt.Errorf("make digest key: %w", err)
	}
	_, err := db.Main.ExecContext(ctx,
		"INSERT INTO polar_bridge_settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
		digestKeyName, hex.EncodeToString(fresh))
	if err != nil {
		return nil, fmt.Errorf("store digest key: %w", err)
	}
	return db.readDigestKey(ctx)
}

func (db *DB) readDigestKey(ctx context.Context) ([]byte, error) {
	var stored string
	err := db.Reader.QueryRowContext(ctx, "SELECT value FROM polar_bridge_settings WHERE name = $1", digestKeyName).Scan(&stored)
	if err != nil {
		return nil, fmt.Errorf("read digest key: %w", err)
	}
	key, err := hex.DecodeString(stored)
	if err != nil {
		return nil, fmt.Errorf("decode digest key: %w", err)
	}
	return key, nil
}
