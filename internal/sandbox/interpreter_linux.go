package sandbox

import (
	"context"
	"errors"

	"vpk/internal/fault"
)

// interpreter is the engine that takes a program of the host for Args[0].
type interpreter struct{ path string }

func (i interpreter) Name() string { return i.path }

func (i interpreter) Start(ctx context.Context, c Command) (Process, error) {
	c, err := c.checked()
	if err != nil {
		return nil, refuse(i, err)
	}
	if c.Profile != Compile {
		return nil, refuse(i, fault.New(fault.Sandbox, "allow user namespaces, or use docker or podman", "an interpreter of the host can't run an image"))
	}
	if len(c.Binds) > 0 {
		return nil, refuse(i, errors.New("it can't bind files of the host"))
	}
	p := programOf(c)
	p.Path, p.Dir = raw(i.path), raw("/")
	p.Args[0] = p.Path
	return startConfined(ctx, i, c, p, "/")
}
