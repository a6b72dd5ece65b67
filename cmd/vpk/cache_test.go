package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// damageCommand flips a bit in one entry of each kind. Of an unpacked base it is a bit of the standard library.
func damageCommand(ts *testscript.TestScript, neg bool, args []string) {
	cache := ts.Getenv("VPK_CACHE_DIR")
	if len(args) > 2 && args[0] == "-in" {
		cache, args = ts.MkAbs(args[1]), args[2:]
	}
	for _, kind := range args {
		entries, err := filepath.Glob(filepath.Join(cache, kind+"-v[0-9]", "*", "*"))
		ts.Check(err)
		if len(entries) == 0 {
			ts.Fatalf("the cache has no %s", kind)
		}
		name := entries[0]
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			inside, err := filepath.Glob(filepath.Join(name, "usr", "lib", "python3.*", "os.py"))
			ts.Check(err)
			name = inside[0]
		}
		data, err := os.ReadFile(name)
		ts.Check(err)
		data[len(data)/2] ^= 1
		ts.Check(os.WriteFile(name, data, 0o644))
	}
}

// ageCommand makes entries look as if they were used some days ago: those of directories in the cache, or of a whole cache.
func ageCommand(ts *testscript.TestScript, neg bool, args []string) {
	days, err := strconv.Atoi(args[0])
	ts.Check(err)
	at := time.Now().Add(-time.Duration(days) * 24 * time.Hour)
	for _, dir := range args[1:] {
		if strings.Contains(dir, "-v") {
			dir = filepath.Join(ts.Getenv("VPK_CACHE_DIR"), dir)
		}
		ts.Check(filepath.WalkDir(ts.MkAbs(dir), func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type()&fs.ModeSymlink == 0 {
				err = os.Chtimes(path, at, at)
			}
			return err
		}))
	}
}

// stateCommand writes down everything about the files of a directory, but for the time of a directory in it whose name is a third argument.
func stateCommand(ts *testscript.TestScript, neg bool, args []string) {
	var b strings.Builder
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if len(args) > 2 && e.Name() == args[2] && e.IsDir() {
			return nil
		}
		fmt.Fprintln(&b, path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%x\n", sha256.Sum256(data))
		}
		return nil
	}))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o644))
}

// copyCommand copies a directory.
func copyCommand(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), os.DirFS(ts.MkAbs(args[0]))))
}
