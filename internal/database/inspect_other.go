//go:build !linux && !darwin

package database

// freeSpace is not known on this system.
func freeSpace(string) (free uint64, known bool) { return 0, false }

// writableFolder is not found out on this system.
func writableFolder(string) error { return nil }
