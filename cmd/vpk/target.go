package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/pack"
)

// targetFlags say what packages are chosen for: a base image, or a target in uv's words.
type targetFlags struct {
	sources sourceFlags
	image   imageFlags

	pythonVersion  string
	pythonPlatform string
}

func (f *targetFlags) add(cmd *cobra.Command) {
	f.sources.add(cmd)
	flags, add := section(cmd, headingTarget)
	defer add()
	flags.StringVar(&f.image.base, "base", "", "base image whose interpreter is the target: `REF`, oci:DIR[:TAG], oci-archive:FILE or docker-archive:FILE")
	flags.StringSliceVar(&f.image.platform, "platform", nil, "platform of the image, `linux/ARCH`: amd64 or arm64 (default the host's)")
	flags.StringVar(&f.pythonVersion, "python-version", "", "`VERSION` of the target's interpreter, 3.11 or 3.11.2")
	flags.StringVar(&f.pythonPlatform, "python-platform", "", "`PLATFORM` of the target in uv's words, x86_64-manylinux_2_36")
}

// check is for before anything is read.
func (f *targetFlags) check(cmd *cobra.Command) error {
	if err := errors.Join(exclusive(cmd, "python-version", "base"), exclusive(cmd, "python-version", "platform")); err != nil {
		return err
	}
	if (f.pythonVersion == "") != (f.pythonPlatform == "") {
		return fault.New(fault.Usage, "try `--python-version 3.11 --python-platform x86_64-manylinux_2_36`", "--python-version and --python-platform need each other")
	}
	return nil
}

// choose chooses packages for the target, and hands the choice to use. What the lock could not be compared with is told.
func (f *targetFlags) choose(cmd *cobra.Command, s *streams, env config.Environment, p *pack.Project, selection pack.Selection, use func(*pack.Choice) error) error {
	choice, done, err := f.open(cmd.Context(), s, env, p, selection)
	defer done()
	if err != nil {
		return err
	}
	if choice.Note != "" && !s.quiet {
		fmt.Fprintln(s.err, choice.Note)
	}
	return errors.Join(use(choice), choice.Close())
}

// open chooses; done must be called in any case.
func (f *targetFlags) open(ctx context.Context, s *streams, env config.Environment, p *pack.Project, selection pack.Selection) (c *pack.Choice, done func(), err error) {
	done = func() {}
	if f.pythonVersion != "" {
		target, err := config.ParseTarget(f.pythonVersion, f.pythonPlatform)
		if err != nil {
			return nil, done, err
		}
		var sources *pack.Sources
		// It does without a cache, and makes none.
		if _, err := os.Stat(env.CacheDir); env.CacheDir != "" && !env.NoCache && err == nil {
			session, err := s.open(ctx, env, p)
			if err != nil {
				return nil, done, err
			}
			sources, done = session.sources, session.close
		}
		c, err = pack.Choose(ctx, sources, p, selection, target)
		return c, done, err
	}
	session, err := s.open(ctx, env, p)
	if err != nil {
		return nil, done, err
	}
	options := pack.Options{Project: p, Selection: selection}
	if err := f.image.merge(&options, session.env, p.Config); err != nil {
		return nil, session.close, err
	}
	c, err = pack.ChooseForBase(ctx, session.sources, options)
	session.done()
	return c, session.close, err
}
