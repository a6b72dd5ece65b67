package main

import (
	"errors"

	"github.com/spf13/cobra"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/pack"
	"vpk/internal/sandbox"
	"vpk/internal/trace"
)

type runOptions struct {
	selection selectionFlags
	sources   sourceFlags
	image     imageFlags
	trace     traceFlags
	env       []string
}

func newRun(s *streams) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run [IMAGE | PROJECT] [-- ARG...]",
		Short: "Start a packed image without a container engine",
		Long: `Start an image (oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE) or a project, which is packed first, in
a throwaway container: its root read-only, /tmp empty and writable, the host's network. Its user is mapped
to the caller, or to nobody when that is root; owners of files are not reproduced. ARGs replace the image's Cmd.

It is for trying an image where there is no container engine, not for running it in production.`,
		Example: "  vpk run oci:image\n  vpk run . -- python -V",
		Args: func(cmd *cobra.Command, args []string) error {
			n := len(args)
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				n = dash
			}
			return arguments(0, 1)(cmd, args[:n])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			what, rest := args, []string(nil)
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				what, rest = args[:dash], args[dash:]
			}
			return o.run(cmd, s, s.project(what), rest)
		},
	}
	o.selection.add(cmd)
	o.sources.add(cmd)
	o.image.add(cmd)
	o.trace.add(cmd, s)
	cmd.Flags().StringArrayVarP(&o.env, "env", "e", nil, "set `NAME=VALUE` in the container (repeatable)")
	return cmd
}

func (o *runOptions) run(cmd *cobra.Command, s *streams, what string, args []string) error {
	env, err := o.sources.environment(s)
	if err != nil {
		return err
	}
	options := pack.RunOptions{Args: args, Env: o.env, Stdin: s.in, Stdout: s.out, Stderr: s.err}
	file := config.File{}
	if pack.IsImage(what) {
		options.Image = what
	} else {
		if err := pack.CheckProject(what); err != nil {
			return err
		}
		if options.Pack.Project, options.Pack.Selection, err = o.selection.project(cmd, what, env); err != nil {
			return err
		}
		file = options.Pack.Project.Config
	}
	if err := o.image.merge(&options.Pack, env, file); err != nil {
		return err
	}
	options.Pack.Deliveries.TraceFile = o.trace.file
	span := trace.Start(cmd.Context(), trace.OpenCache, "")
	session, err := s.open(cmd.Context(), env, options.Pack.Project)
	span.End()
	if err != nil {
		return err
	}
	defer session.close()
	options.Started = session.done
	err = pack.Run(cmd.Context(), session.sources, options)
	var exited *sandbox.ExitError
	// An interpreter that failed before the program was started is an error like others, and has a kind.
	if errors.As(err, &exited) && fault.KindOf(err) == fault.Other && cmd.Context().Err() == nil {
		if exited.Signal != 0 {
			return exitStatus(128 + int(exited.Signal)) // as shells and docker say it
		}
		return exitStatus(exited.Code)
	}
	return err
}
