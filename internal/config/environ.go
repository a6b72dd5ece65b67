package config

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"vpk/internal/fault"
)

// Environment is what the environment says; Getenv is read once, at the edge.
type Environment struct {
	CacheDir string // VPK_CACHE_DIR, else vpk below the user's cache directory; "" when there is neither
	Base     string // VPK_BASE
	Sandbox  string // VPK_SANDBOX
	Offline  bool   // VPK_OFFLINE or UV_OFFLINE
	// Timeout of silence on a connection: UV_HTTP_TIMEOUT, in seconds; 0 when not given.
	Timeout time.Duration
	// Created is SOURCE_DATE_EPOCH, else the epoch.
	Created time.Time
}

// ReadEnvironment reads the environment through getenv. userCacheDir is what os.UserCacheDir gives, "" if it fails.
func ReadEnvironment(getenv func(string) string, userCacheDir string) (Environment, error) {
	e := Environment{
		CacheDir: getenv("VPK_CACHE_DIR"),
		Base:     getenv("VPK_BASE"),
		Sandbox:  getenv("VPK_SANDBOX"),
		Created:  time.Unix(0, 0).UTC(),
	}
	if e.CacheDir == "" && userCacheDir != "" {
		e.CacheDir = filepath.Join(userCacheDir, "vpk")
	}
	for _, name := range []string{"VPK_OFFLINE", "UV_OFFLINE"} {
		on, err := flag(name, getenv(name))
		if err != nil {
			return e, err
		}
		e.Offline = e.Offline || on
	}
	if s := getenv("UV_HTTP_TIMEOUT"); s != "" {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil || n == 0 {
			return e, fault.New(fault.Usage, "", "read UV_HTTP_TIMEOUT: %q is not a number of seconds", s)
		}
		e.Timeout = time.Duration(n) * time.Second
	}
	// https://reproducible-builds.org/specs/source-date-epoch/: an integer; a malformed value is an error, not a default.
	if s := getenv("SOURCE_DATE_EPOCH"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 || n > maxEpoch {
			return e, fault.New(fault.Usage, "", "read SOURCE_DATE_EPOCH: %q is not a number of seconds from 0 to %d", s, int64(maxEpoch))
		}
		e.Created = time.Unix(n, 0).UTC()
	}
	return e, nil
}

// maxEpoch is the last second that a USTAR header can hold: eleven octal digits.
const maxEpoch = 1<<33 - 1

// flag reads a boolean variable as uv does (EnvFlag).
func flag(name, value string) (bool, error) {
	switch strings.ToLower(value) {
	case "", "n", "no", "f", "false", "off", "0":
		return false, nil
	case "y", "yes", "t", "true", "on", "1":
		return true, nil
	}
	return false, fault.Wrap(fault.Usage, "", fmt.Errorf("read %s: %q is not a boolean", name, value))
}
