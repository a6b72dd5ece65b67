package pack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"vpk/internal/fault"
	"vpk/internal/trace"
	"vpk/layer"
	"vpk/layer/base"
	"vpk/layer/diff"
	"vpk/wheel"
)

// Reproduction says whether an image can be made again.
type Reproduction struct {
	Reproducible bool `json:"reproducible"`
	// Digest is that of the first build; with Against, of the image that was to be reached.
	Digest string  `json:"digest"`
	Builds []Build `json:"builds"`
	// Against is what an image says of itself, and what is so here.
	Against []Claim `json:"against,omitempty"`
	// Difference is nil when there is none. Its A is the first build, or the image that was to be reached.
	Difference *diff.Report `json:"difference,omitempty"`
}

// Build is one of the builds that are compared.
type Build struct {
	Conditions
	Workers int     `json:"workers"`           // processes that compile at a time
	Sandbox string  `json:"sandbox,omitempty"` // empty when nothing was compiled
	Digest  string  `json:"digest"`
	Seconds float64 `json:"seconds"`
}

// Conditions are what must not matter to a build. All are made in caches of their own, to which no more than downloads is common.
type Conditions struct {
	Name string `json:"name"`
	// Env holds NAME=VALUE, in place of what the environment has.
	Env []string `json:"env"`
	// Umask in octal, empty for the process's own.
	Umask string `json:"umask,omitempty"`
	// Backwards takes up the packages from the last to the first.
	Backwards bool `json:"backwards"`
}

// conditions of the builds: as it is here, and as it may be on other machines. One worker is one order; three, on a machine that
// has one processor, are another.
func conditions() []Conditions {
	workers := "1"
	if runtime.GOMAXPROCS(0) == 1 {
		workers = "3"
	}
	return []Conditions{
		{Name: "as here", Env: []string{}},
		{Name: "as elsewhere", Umask: "077", Backwards: true, Env: []string{
			"GOMAXPROCS=" + workers, "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", "PYTHONHASHSEED=4711", "PYTHONOPTIMIZE=2", "TZ=Pacific/Kiritimati",
		}},
	}
}

// ReproduceOptions of Reproduce.
type ReproduceOptions struct {
	Arch string // OCI architecture of the image, "" for the host's
	// Build builds the project under conditions, with Rebuild, in a process that has them. The directory is new.
	Build func(ctx context.Context, c Conditions, dir string) (*Build, error)
}

// Reproduce builds a project under differing conditions, with nothing derived at hand, and compares what comes of it.
func Reproduce(ctx context.Context, s *Sources, o ReproduceOptions) (_ *Reproduction, err error) {
	scratch, remove, err := s.cache.TempDir("reproduce")
	if err != nil {
		return nil, fault.Wrap(fault.Delivery, "", err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	r := &Reproduction{Reproducible: true}
	var dirs []string
	for i, c := range conditions() {
		// Places with names of their own, of different lengths.
		dir := filepath.Join(scratch, fmt.Sprintf("%0*d", 1+10*i, i+1))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, fault.Wrap(fault.Delivery, "", err)
		}
		span := trace.Start(ctx, trace.Pack, c.Name)
		built, err := o.Build(ctx, c, dir)
		span.End()
		if err != nil {
			return nil, err
		}
		s.reporter.Detail("built %s: %s in %.2f s", built.Name, built.Digest, built.Seconds)
		r.Builds, dirs = append(r.Builds, *built), append(dirs, dir)
	}
	first := r.Builds[0]
	r.Digest = first.Digest
	for i, other := range r.Builds[1:] {
		if other.Digest == first.Digest {
			continue
		}
		r.Reproducible = false
		a, err := s.image(ctx, imageDir(dirs[0]), o.Arch)
		if err != nil {
			return nil, err
		}
		b, err := s.image(ctx, imageDir(dirs[i+1]), o.Arch)
		if err != nil {
			return nil, err
		}
		r.Difference, err = diff.Images(ctx, "built "+first.Name, a, "built "+other.Name, b)
		return r, err
	}
	return r, nil
}

// imageDir is the layout that a build in a directory leaves there.
func imageDir(dir string) string { return filepath.Join(dir, "image") }

// Rebuild builds a project with nothing derived at hand, and leaves the image and all that was derived in dir.
func Rebuild(ctx context.Context, s *Sources, o Options, c Conditions, dir string) (_ *Build, err error) {
	cold, err := s.fork(filepath.Join(dir, "cache"))
	if err != nil {
		return nil, err
	}
	cold.backwards = c.Backwards
	clock := newClock()
	img, err := build(ctx, cold, o, clock)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, img.close()) }()
	if _, err := layer.Deliver(ctx, layer.Layout{Dir: imageDir(dir)}, layer.Artifact{Image: img.v1}, s.reporter); err != nil {
		return nil, err
	}
	return img.built(c, clock), nil
}

func (i *image) built(c Conditions, clock *clock) *Build {
	return &Build{Conditions: c, Workers: runtime.GOMAXPROCS(0), Sandbox: i.bytecode.Sandbox, Digest: i.digest.String(), Seconds: clock.total()}
}

// fork gives sources with a cache in dir that shares downloads with s, and nothing that is derived from them.
func (s *Sources) fork(dir string) (*Sources, error) {
	cache, err := s.cache.Fork(dir, append(wheel.Downloads(), base.Downloads()...)...)
	if err != nil {
		return nil, fault.Wrap(fault.Delivery, "", err)
	}
	f := *s
	f.cache, f.wheels = cache, s.openWheels(cache)
	f.unpacked = append([]string{s.cache.Dir()}, s.unpacked...)
	return &f, nil
}
