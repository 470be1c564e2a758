package database

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// digestKeyName is the row that holds the key of LOG_EXTERNAL_ID's digests.
const digestKeyName = "digest_key"

const digestKeyBytes = 32

// DigestKey returns the key under which ids are digested for logs, made at the
// first call and the same for all replicas ever after, so that one person's
// lines can be found without naming the person.
func (db *DB) DigestKey(ctx context.Context) ([]byte, error) {
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
	var stored string
	err = db.Main.QueryRowContext(ctx, "SELECT value FROM polar_bridge_settings WHERE name = $1", digestKeyName).Scan(&stored)
	if err != nil {
		return nil, fmt.Errorf("read digest key: %w", err)
	}
	key, err := hex.DecodeString(stored)
	if err != nil {
		return nil, fmt.Errorf("decode digest key: %w", err)
	}
	return key, nil
}
