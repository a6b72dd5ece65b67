// Command vpk turns a Python project with a uv.lock into a distroless container image.
//
// This package is words: flags, progress, messages and exit codes, one file a subcommand. What the words mean lives in
// internal/pack and the rooms below it.
//
// stdout carries the result and nothing else (a digest reference, JSON); everything said to people goes to stderr, errors as
// "vpk: ..." followed by "hint: ..." lines. The exit code is the number of the error's fault.Kind; 1 also says that what vpk diff
// compares is different. `vpk reproduce` starts this program again with VPK_REPRODUCE_BUILD, which is nobody else's to set.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"vpk/internal/sandbox"
)

func main() {
	sandbox.Init() // does not return in a process that is to become a sandbox
	postponeCollection()
	os.Exit(run(os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, environ: os.Environ, started: processStart()}))
}

// postponeCollection lets the heap grow to 32 MiB before the first garbage collection, from where on the runtime's own pace holds: most
// runs end before. GOGC, if set, stays as it is.
func postponeCollection() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(800) // of the 4 MiB that the runtime begins with
	sentinel := new([16]byte)
	runtime.AddCleanup(sentinel, func(percent int) { debug.SetGCPercent(percent) }, 100)
}

// run is the whole program but for the process: it returns the exit code.
func run(args []string, s streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one ends the process at once.
	context.AfterFunc(ctx, stop)
	defer stop()
	root := newRoot(&s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return s.exit(ctx, err)
}
