package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/internal/spelling"
	"vpk/internal/trace"
)

// trialTime bounds a trial; an engine may have to import the root first.
const trialTime = 2 * time.Minute

// engines are what auto tries, in this order.
var engines = []string{"namespaces", "direct", "docker", "podman"}

// Choose returns a sandbox that works, as a trial has shown now or earlier since the host was booted. A choice other than
// auto gets that one or an error. Auto takes the first that works of namespaces, direct, docker and podman, never an
// interpreter of the host; when none does, the error (fault.Sandbox) has the reasons of all.
//
// That an engine works is remembered. That it does not is remembered only so that auto need not try it again while another
// one works: before it gives up, everything is tried anew, because the user may have changed something.
func Choose(ctx context.Context, o Options) (Sandbox, error) {
	names := []string{o.Choice}
	switch {
	case o.Choice == "" || o.Choice == "auto":
		names = engines
	case !slices.Contains(engines, o.Choice) && !filepath.IsAbs(o.Choice):
		hint := "use auto, " + strings.Join(engines, ", ") + ", or the absolute path of an interpreter"
		if near := spelling.Nearest(o.Choice, append(slices.Clone(engines), "auto")); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		return nil, fault.New(fault.Usage, hint, "no sandbox is called %q", o.Choice)
	}
	j := judge{Options: o, place: place(), tried: map[string]bool{}}
	errs := make([]error, len(names))
	// First what may work for all that is known, then what is known not to.
	for _, again := range []bool{false, true} {
		for i, name := range names {
			s, err := open(name)
			if err != nil {
				errs[i] = fmt.Errorf("sandbox %s: %w", name, err)
				continue
			}
			v, known := j.recall(name)
			switch {
			case known && v.Works:
				return s, nil
			case j.tried[name], known && !again:
				continue
			}
			if errs[i] = j.try(ctx, s); errs[i] == nil {
				return s, nil
			}
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
		}
	}
	hint := "allow unprivileged user namespaces, start docker or podman, or name an interpreter of the same version: --sandbox /path/to/python"
	if len(names) == 1 {
		hint = "use --sandbox auto to let vpk find one that works"
	}
	return nil, fault.Wrap(fault.Sandbox, hint, fmt.Errorf("no sandbox works here: %w", join(errs)))
}

// open makes the engine of a name.
func open(name string) (Sandbox, error) {
	switch name {
	case "namespaces":
		return namespaces{}, nil
	case "direct":
		return direct{}, nil
	case "docker", "podman":
		return newEngine(name)
	}
	return interpreter{path: name}, nil
}

// judge decides whether an engine works.
type judge struct {
	Options
	place string
	tried map[string]bool // by this judge, whatever is remembered
}

func (j *judge) try(ctx context.Context, s Sandbox) error {
	trying, cancel := context.WithTimeoutCause(ctx, trialTime, fmt.Errorf("the trial took more than %s", trialTime))
	defer cancel()
	j.tried[s.Name()] = true
	c := j.Trial
	var said tail
	c.Stdin, c.Stdout, c.Stderr = nil, nil, &said
	p, err := s.Start(trying, c)
	if err == nil {
		span := trace.Start(ctx, trace.TrySandbox, s.Name())
		defer span.End()
		if err = p.Wait(); err != nil {
			err = fmt.Errorf("sandbox %s: %w%s", s.Name(), err, said.quoted())
		}
	}
	if ctx.Err() != nil || j.Cache == nil {
		return err
	}
	data, marshalErr := json.Marshal(verdict{Works: err == nil})
	if putErr := errors.Join(marshalErr, j.Cache.PutRecord(verdictKind, j.key(s.Name()), data)); putErr != nil {
		return errors.Join(err, putErr)
	}
	return err
}

func (j *judge) key(name string) string {
	return cas.Key(j.BootID, j.place, name, j.Trial.RootID, j.Trial.Profile.String())
}

func (j *judge) recall(name string) (v verdict, known bool) {
	if j.Cache == nil {
		return v, false
	}
	data, err := j.Cache.Record(verdictKind, j.key(name))
	if err != nil {
		return v, false // none, or none that can be read: a trial will tell
	}
	return v, json.Unmarshal(data, &v) == nil
}

// place describes what the kernel's answer depends on: its version, the user, and how this process is confined. A cache
// may be shared by a host and its containers, which have the same boot.
func place() string {
	var name unix.Utsname
	_ = unix.Uname(&name) // an unknown kernel is a place, too
	parts := []string{unix.ByteSliceToString(name.Release[:]), strconv.Itoa(os.Geteuid())}
	for _, ns := range []string{"user", "mnt"} {
		link, _ := os.Readlink("/proc/self/ns/" + ns)
		parts = append(parts, link)
	}
	label, _ := os.ReadFile("/proc/self/attr/current")
	parts = append(parts, string(label))
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if key, _, _ := strings.Cut(line, ":"); key == "CapEff" || key == "NoNewPrivs" || key == "Seccomp" {
			parts = append(parts, line)
		}
	}
	return cas.Key(parts...)
}

// joined is errors.Join on one line.
type joined []error

func join(errs []error) error { return joined(errs) }

func (j joined) Error() string {
	texts := make([]string, len(j))
	for i, err := range j {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (j joined) Unwrap() []error { return j }

// tail keeps the last of what is written to it.
type tail struct{ data []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	t.data = t.data[max(0, len(t.data)-500):]
	return len(p), nil
}

// quoted is what was written, on one line, after a colon; empty when that is nothing.
func (t *tail) quoted() string {
	words := bytes.Fields(t.data)
	if len(words) == 0 {
		return ""
	}
	return ": " + string(bytes.Join(words, []byte(" ")))
}
