package peer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorder is a test that says how it ended.
type recorder struct {
	testing.TB
	end string
}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(format string, args ...any) {
	r.end = "skipped: " + fmt.Sprintf(format, args...)
	panic(r)
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.end = "failed: " + fmt.Sprintf(format, args...)
	panic(r)
}

// end is how a test ends that does what f does: "" if it goes on.
func end(t *testing.T, f func(testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	func() {
		defer func() {
			if v := recover(); v != nil && v != r {
				panic(v)
			}
		}()
		f(r)
	}()
	return r.end
}

// alone clears what this run was told.
func alone(t *testing.T) {
	t.Helper()
	for _, name := range []string{"CI", "VPK_TEST_REQUIRE", "VPK_TEST_BASE12", "VPK_TEST_CRANE", "VPK_TEST_DOCKER", "VPK_TEST_UV", "VPK_TEST_PYTHON", "VPK_TEST_PYTHONS", "VPK_TEST_CACHE"} {
		t.Setenv(name, "")
	}
	t.Setenv("PATH", t.TempDir())
}

// script makes a program that prints a line.
func script(t *testing.T, dir, name, line string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+line+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMissingPeers(t *testing.T) {
	alone(t)
	old := script(t, t.TempDir(), "uv", "uv 0.11.80 (of another day)")
	for what, f := range map[string]func(testing.TB){
		"no crane: VPK_TEST_CRANE is not set, and it is not in PATH":                                         func(t testing.TB) { Tool(t, "crane") },
		"no docker: VPK_TEST_DOCKER is not set, and it is not in PATH":                                       func(t testing.TB) { Docker(t) },
		"no uv: VPK_TEST_UV is not set, and it is not in PATH":                                               func(t testing.TB) { UV(t) },
		"no python3: VPK_TEST_PYTHON is not set, and it is not in PATH":                                      func(t testing.TB) { Packaging(t) },
		"no base image: VPK_TEST_BASE12 is not set":                                                          func(t testing.TB) { Base(t, "BASE12") },
		"no CPython 3.12 (set VPK_TEST_PYTHONS): exec: \"python3.12\": executable file not found in $PATH\n": func(t testing.TB) { CPython(t, "3.12") },
		"no luck on 1 day": func(t testing.TB) { Missing(t, "no luck on %d day", 1) },
		old + ` is "uv 0.11.80 (of another day)\n", and uv 0.11.8 is what is compared with`: func(tb testing.TB) {
			t.Setenv("VPK_TEST_UV", old)
			defer t.Setenv("VPK_TEST_UV", "")
			UV(tb)
		},
	} {
		t.Run(what, func(t *testing.T) {
			if got := end(t, f); got != "skipped: NOT TESTED: "+what {
				t.Errorf("the test is %s", got)
			}
			for _, variable := range []string{"CI", "VPK_TEST_REQUIRE"} {
				t.Run(variable, func(t *testing.T) {
					t.Setenv(variable, "1")
					if got := end(t, f); got != "failed: "+what {
						t.Errorf("the test is %s", got)
					}
				})
			}
		})
	}
}

func TestLookupBase(t *testing.T) {
	alone(t)
	f := func(t testing.TB) { LookupBase(t, "BASE12") }
	if got := end(t, f); got != "" {
		t.Errorf("the test is %s", got)
	}
	t.Setenv("CI", "true")
	if got := end(t, f); !strings.HasPrefix(got, "failed: no base image") {
		t.Errorf("where it is required the test is %q", got)
	}
	t.Setenv("VPK_TEST_BASE12", "/layout")
	if got := LookupBase(t, "BASE12") + Base(t, "BASE12"); got != "/layout/layout" {
		t.Error(got)
	}
}

func TestToolOfTheVariableBeforePath(t *testing.T) {
	alone(t)
	inPath := script(t, os.Getenv("PATH"), "crane", "")
	if got := Tool(t, "crane"); got != inPath {
		t.Errorf("%s, want %s", got, inPath)
	}
	t.Setenv("VPK_TEST_CRANE", "/other")
	if got := Tool(t, "crane"); got != "/other" {
		t.Errorf("%s, want /other", got)
	}
}

// TestPinsAreInstalled: what setup-tools installs is what the tests ask for.
func TestPinsAreInstalled(t *testing.T) {
	text, err := os.ReadFile("../../testdata/setup-tools")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("pins=(uv==%s packaging==%s)", uvVersion, packagingVersion); !strings.Contains(string(text), want) {
		t.Errorf("setup-tools has no %s", want)
	}
}

func TestAskPackaging(t *testing.T) {
	const echo = "import json, sys\nprint(json.dumps(json.load(sys.stdin)[::-1]))"
	var answer []string
	AskPackaging(t, echo, []string{"é", "b"}, &answer)
	if diff := cmp.Diff([]string{"b", "é"}, answer); diff != "" {
		t.Error(diff)
	}
	for script, want := range map[string]string{
		"import sys; sys.exit('no answer')": "exit status 1\nno answer",
		"print('no JSON')":                  "read the answer of packaging: invalid character",
	} {
		if got := end(t, func(t testing.TB) { AskPackaging(t, script, nil, &answer) }); !strings.Contains(got, "failed: ") || !strings.Contains(got, want) {
			t.Errorf("%s: the test is %q", script, got)
		}
	}
}
