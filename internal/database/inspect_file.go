package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// inspectFile looks at the file and its folder. It makes nothing.
func inspectFile(ctx context.Context, path string) (File, error) {
	file, folder := File{Path: path}, filepath.Dir(path)
	if linked, err := filepath.EvalSymlinks(path); err == nil {
		folder = filepath.Dir(linked)
	}
	place, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return file, fmt.Errorf("the folder of DATABASE_URL does not exist: %w", err)
	}
	if err != nil {
		return file, fmt.Errorf("look at the folder of the SQLite file: %w", err)
	}
	if !place.IsDir() {
		return file, fmt.Errorf("%s is not a folder", folder)
	}
	file.Free, file.FreeKnown = freeSpace(folder)
	// SQLite makes its WAL beside the file, so the folder must be writable too.
	if err := writableFolder(folder); err != nil {
		file.Unwritable = fmt.Errorf("folder %s: %w", folder, err)
	} else {
		file.Temporary = writeTemporaryFile(ctx, folder)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil
	}
	if err != nil {
		return file, fmt.Errorf("look at the SQLite file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return file, fmt.Errorf("%s is not a regular file", path)
	}
	file.Exists, file.Mode = true, info.Mode().Perm()
	for _, suffix := range []string{"-wal", "-shm"} {
		if beside, err := os.Stat(path + suffix); err == nil {
			file.Mode |= beside.Mode().Perm()
		}
	}
	if err := writableFile(path); err != nil {
		file.Unwritable = err
	}
	return file, nil
}

// writableFile opens the file for writing and closes it again.
func writableFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	return file.Close()
}
