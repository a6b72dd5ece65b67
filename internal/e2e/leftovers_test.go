package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// leavesNothing fails the test when something of the user's runs is still there: a process that has anything to do with the
// user's directory, a mount, a scratch file. It is not for users who share a cache.
func (u *user) leavesNothing() {
	u.t.Helper()
	u.leavesNothingAlive()
	u.leavesNoScratch()
}

// leavesNoScratch is leavesNothing without processes and mounts.
func (u *user) leavesNoScratch() {
	u.t.Helper()
	for _, pattern := range []string{u.path("tmp", "*"), filepath.Join(u.cache, "tmp", "*")} {
		if found, err := filepath.Glob(pattern); err != nil || len(found) > 0 {
			u.t.Errorf("left behind: %q, %v", found, err)
		}
	}
}

// leavesNothingAlive is leavesNothing without the files: what killed programs leave. Processes get a moment's grace.
func (u *user) leavesNothingAlive() {
	u.t.Helper()
	if err := waitFor(10*time.Second, u.alive); err != nil {
		u.t.Errorf("left behind:\n%v", err)
	}
}

func (u *user) alive() error {
	var found []string
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, u.dir) {
			found = append(found, "mount "+strings.TrimSpace(line))
		}
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, p := range processes {
		if p == fmt.Sprintf("/proc/%d", os.Getpid()) {
			continue
		}
		if why := u.touches(p); why != "" {
			line, _ := os.ReadFile(p + "/cmdline")
			found = append(found, fmt.Sprintf("process %s (%s): %q", filepath.Base(p), why, strings.ReplaceAll(string(line), "\x00", " ")))
		}
	}
	if len(found) > 0 {
		return errors.New(strings.Join(found, "\n"))
	}
	return nil
}

// touches says where in /proc the user's directory shows, "" for nowhere. What has ended shows nothing.
func (u *user) touches(process string) string {
	for _, name := range []string{"cmdline", "environ", "mountinfo", "maps"} {
		if data, err := os.ReadFile(filepath.Join(process, name)); err == nil && strings.Contains(string(data), u.dir) {
			return name
		}
	}
	links, _ := filepath.Glob(process + "/fd/*")
	for _, name := range append(links, process+"/exe", process+"/cwd", process+"/root") {
		if target, err := os.Readlink(name); err == nil && strings.HasPrefix(target, u.dir) {
			return strings.TrimPrefix(name, process+"/")
		}
	}
	return ""
}
