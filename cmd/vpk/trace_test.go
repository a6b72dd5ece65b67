package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"vpk/internal/trace"
)

// tracedCommand is `traced FILE STEP...`: the file must be a trace in which each of the steps is, ended, and whose tracks hold
// spans that are one after the other.
func tracedCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || neg {
		ts.Fatalf("usage: traced FILE STEP...")
	}
	var file struct {
		TraceEvents []struct {
			Name, Cat, Ph string
			TS, Dur       float64
			TID           int
			Args          struct{ Unfinished bool }
		}
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &file))
	seen := map[string]bool{}
	ends := map[int]float64{}
	for _, e := range file.TraceEvents {
		if e.Ph != "X" {
			continue
		}
		seen[e.Cat] = seen[e.Cat] || !e.Args.Unfinished
		// The file has thousandths of microseconds, in binary fractions.
		if e.TS < ends[e.TID]-0.0005 {
			ts.Fatalf("%q begins at %v on track %d, which is taken until %v", e.Name, e.TS, e.TID, ends[e.TID])
		}
		ends[e.TID] = e.TS + e.Dur
	}
	for _, step := range args[1:] {
		if !seen[step] {
			ts.Fatalf("%s has no step %q", args[0], step)
		}
	}
}

func TestTableOfTimings(t *testing.T) {
	var out bytes.Buffer
	writeTimings(&out, []trace.Timing{
		{Step: trace.Startup, Count: 1, Busy: 0.0061, Wall: 0.0061},
		{Step: trace.StartInterpreter, Count: 2, Busy: 0.05, Wall: 0.04},
		{Step: trace.Compress, Count: 1234, Bytes: 1_234_567_890, Busy: 1234.5, Waited: 99.9999, Wall: 620},
	}, 621*time.Second)
	want := `
step               count      bytes        busy      waited        wall
start                  1                0.006 s                 0.006 s
start interpreter      2                0.050 s                 0.040 s
compress            1234    1.23 GB  1234.500 s   100.000 s   620.000 s
total                                1234.556 s   100.000 s   621.000 s
`
	if diff := cmp.Diff(want[1:], out.String()); diff != "" {
		t.Error(diff)
	}
}
