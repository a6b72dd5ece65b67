package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/trace"
	"vpk/layer"
)

// traceFlags are the words by which a command tells where its time went: --trace a file, and -v a table on stderr.
type traceFlags struct{ file string }

// add gives a command the flag, and has it told when it is over, well or not.
func (f *traceFlags) add(cmd *cobra.Command, s *streams) {
	cmd.Flags().StringVar(&f.file, "trace", "", "write to this `FILE` where the time goes, for ui.perfetto.dev or chrome://tracing")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		// A build that another one compares leaves the telling to that one.
		if f.file == "" && (!s.verbose || s.quiet) || s.getenv(childVariable) != "" {
			return run(cmd, args)
		}
		if err := f.check(); err != nil {
			return err
		}
		now := time.Now()
		r := trace.New(time.Now)
		r.Add(trace.Startup, "", s.started, now)
		cmd.SetContext(trace.With(cmd.Context(), r))
		err := run(cmd, args)
		if fault.KindOf(err) == fault.Usage {
			return err // nothing was done, and what is there under the file's name may be meant for something else
		}
		return errors.Join(err, f.tell(cmd.Name(), s, r))
	}
}

// check refuses a file that cannot be written, before there is anything to tell.
func (f *traceFlags) check() error {
	if f.file == "" {
		return nil
	}
	if info, err := os.Stat(f.file); err == nil && !info.Mode().IsRegular() {
		return fault.New(fault.Delivery, "name a file", "write trace: %q is not a file", f.file)
	}
	if _, err := os.Stat(filepath.Dir(f.file)); err != nil {
		return fault.New(fault.Delivery, "the directory that it goes to must exist", "write trace: %w", err)
	}
	return nil
}

// tell writes the file and the table, as far as they are wanted.
func (f *traceFlags) tell(command string, s *streams, r *trace.Recorder) error {
	peak, started := peakMemory()
	if s.verbose && !s.quiet {
		writeTimings(s.err, r.Timings(), r.Elapsed())
		if peak > 0 {
			fmt.Fprintf(s.err, "peak memory %s", progress.Bytes(peak))
			if started > 0 {
				fmt.Fprintf(s.err, "; of a process that was started no more than %s", progress.Bytes(started))
			}
			fmt.Fprintln(s.err)
		}
	}
	if f.file == "" {
		return nil
	}
	about := map[string]any{"command": "vpk " + command, "version": version}
	if peak > 0 {
		about["peak_memory_bytes"], about["started_peak_memory_bytes"] = peak, started
	}
	// Without the run's context, which may have been interrupted.
	err := layer.WriteFile(context.Background(), f.file, func(w io.Writer) error { return r.WriteChrome(w, about) })
	if err != nil {
		return fault.New(fault.Delivery, "", "write trace: %w", err)
	}
	return nil
}

// writeTimings writes a table of steps. A sum over what happened side by side may be more than a clock shows.
func writeTimings(w io.Writer, timings []trace.Timing, elapsed time.Duration) {
	row := func(words ...string) {
		line := fmt.Sprintf("%-17s %6s %10s %11s %11s %11s", words[0], words[1], words[2], words[3], words[4], words[5])
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
	seconds := func(n float64) string { return fmt.Sprintf("%.3f s", n) }
	row("step", "count", "bytes", "busy", "waited", "wall")
	var total trace.Timing
	for _, t := range timings {
		bytes, waited := "", ""
		if t.Bytes > 0 {
			bytes = progress.Bytes(t.Bytes)
		}
		if t.Waited > 0 {
			waited = seconds(t.Waited)
		}
		row(string(t.Step), strconv.Itoa(t.Count), bytes, seconds(t.Busy), waited, seconds(t.Wall))
		total.Busy, total.Waited = total.Busy+t.Busy, total.Waited+t.Waited
	}
	row("total", "", "", seconds(total.Busy), seconds(total.Waited), seconds(elapsed.Seconds()))
}

// processStart is about when this process was started: the time that the processor spent on it ago. Nothing but reading the
// program from a slow disk takes other time before main.
func processStart() time.Time {
	now := time.Now()
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return now
	}
	return now.Add(-time.Duration(usage.Utime.Nano() + usage.Stime.Nano()))
}

// peakMemory is the most memory in bytes that this process had at a time, and a bound for what any process had that it started and
// waited for: such a one counts what this one had when it was started. Both are 0 where the system does not tell.
func peakMemory() (own, started int64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &own); err == nil {
			own <<= 10
			break
		}
	}
	var usage syscall.Rusage
	if own == 0 || syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage) != nil {
		return own, 0
	}
	return own, usage.Maxrss << 10
}
