//go:build linux || darwin

package database

import "syscall"

// freeSpace returns how many bytes this user may still write in the folder.
func freeSpace(folder string) (free uint64, known bool) {
	var status syscall.Statfs_t
	if err := syscall.Statfs(folder, &status); err != nil {
		return 0, false
	}
	return status.Bavail * uint64(status.Bsize), true //nolint:gosec // a block's size is positive
}

// writableFolder returns why this user may not make files in the folder.
func writableFolder(folder string) error {
	const write = 2 // W_OK, which package syscall does not name
	return syscall.Access(folder, write)
}
