package pack

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/trace"
	"vpk/lockfile"
	"vpk/venv"
	"vpk/venv/tree"
	"vpk/wheel"
)

// fetchLimit is how many wheels are on their way at once. It bounds open files; connections have a limit of their own.
const fetchLimit = 32

// wheels are the packages of an environment, in the selection's order, with their archives open.
type wheels struct {
	installed []venv.Installed
	archives  []*wheel.Wheel
}

// close closes the archives; of no wheels at all there is nothing to close.
func (w *wheels) close() error {
	if w == nil {
		return nil
	}
	var errs []error
	for _, a := range w.archives {
		if a != nil {
			errs = append(errs, a.Close())
		}
	}
	return errors.Join(errs...)
}

// preparation is work on a wheel that can be done while others are still on their way.
type preparation func(ctx context.Context, w venv.Installed, size int64) error

// installWheels fetches each wheel, plans its part, compiles its bytecode unless compile is nil and, if the wheel is new, does what
// prepare does with it, all side by side. All wheels that are at fault are reported.
func installWheels(
	ctx context.Context, s *Sources, p *Project, spec venv.Spec, selection *lockfile.Selection, compile *compiler, prepare preparation,
) (*wheels, error) {
	w := &wheels{
		installed: make([]venv.Installed, len(selection.Packages)),
		archives:  make([]*wheel.Wheel, len(selection.Packages)),
	}
	refs := p.refs(selection)
	if err := s.wheels.Available(refs...); err != nil {
		return nil, err
	}
	errs := make([]error, len(selection.Packages))
	var g errgroup.Group
	g.SetLimit(fetchLimit)
	for i := range selection.Packages {
		if s.backwards {
			i = len(selection.Packages) - 1 - i
		}
		g.Go(func() error {
			errs[i] = w.install(ctx, s, spec, selection.Packages[i], refs[i], i, compile)
			if a := w.archives[i]; errs[i] == nil && prepare != nil && !a.Cached {
				errs[i] = prepare(ctx, w.installed[i], a.Size)
			}
			return nil
		})
	}
	_ = g.Wait()
	err := errors.Join(distinct(errs)...)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.noteInputs(s.reporter, selection)
	return w, nil
}

// shownNetworkErrors is how many wheels that did not come over the network are told of one by one.
const shownNetworkErrors = 3

// distinct leaves out errors that say what one before them says: a sandbox that cannot be had fails for every wheel. A
// network that is down fails for every wheel too, each with its own address: of those the first ones are kept, and a count.
func distinct(errs []error) []error {
	var kept []error
	seen := map[string]bool{}
	network := 0
	for _, err := range errs {
		if err == nil || seen[err.Error()] {
			continue
		}
		seen[err.Error()] = true
		if fault.KindOf(err) == fault.Network {
			if network++; network > shownNetworkErrors {
				continue
			}
		}
		kept = append(kept, err)
	}
	if more := network - shownNetworkErrors; more > 0 {
		kept = append(kept, fault.New(fault.Network, "", "and %s", progress.Count(more, "more wheel")))
	}
	return kept
}

// install fills the slot of one package.
func (w *wheels) install(ctx context.Context, s *Sources, spec venv.Spec, p lockfile.Selected, ref wheel.Ref, slot int, compile *compiler) error {
	archive, err := s.wheels.Fetch(ctx, ref)
	if err != nil {
		return err
	}
	w.archives[slot] = archive
	span := trace.Start(ctx, trace.Install, p.Package.Name)
	installed, err := venv.Install(spec, venv.Package{
		Name: p.Package.Name, Version: p.Package.Version.String(), Wheel: archive, DirectURL: p.DirectURL,
	})
	span.End()
	if err != nil {
		return err
	}
	installed.Rank = p.Rank
	if compile != nil {
		installed.Sourceless = compile.options.sourceless()
		if installed.Bytecode, err = compile.wheel(ctx, installed.Modules()); err != nil {
			return err
		}
	}
	w.installed[slot] = installed
	return nil
}

// environmentParts are the parts of an environment whose wheels and projects are installed.
func environmentParts(spec venv.Spec, w *wheels, locals []venv.Installed, c config.File) ([]tree.Part, []venv.Collision, error) {
	skeleton, err := venv.Skeleton(spec)
	if err != nil {
		return nil, nil, err
	}
	policy := venv.Report
	if c.Collisions == "error" {
		policy = venv.Refuse
	}
	return venv.Join(skeleton, slices.Concat(w.installed, locals), policy)
}
