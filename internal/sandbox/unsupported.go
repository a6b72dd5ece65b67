//go:build !linux

package sandbox

import (
	"context"
	"runtime"

	"vpk/internal/fault"
)

// Init does nothing on this system.
func Init() {}

// Choose fails: a sandbox needs Linux.
func Choose(context.Context, Options) (Sandbox, error) {
	return nil, fault.New(fault.Sandbox, "run vpk on Linux, or pack with --no-bytecode", "no sandbox on %s: it needs Linux", runtime.GOOS)
}
