package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"vpk/internal/pack"
	"vpk/internal/progress"
	"vpk/internal/trace"
)

type venvOptions struct {
	selection selectionFlags
	sources   sourceFlags
	trace     traceFlags

	project  string
	python   string
	bytecode bool
}

func newVenv(s *streams) *cobra.Command {
	var o venvOptions
	cmd := &cobra.Command{
		Use:   "venv DIR",
		Short: "Write the virtual environment to a directory of this machine",
		Long: `Write the same virtual environment that would be packed to DIR, planned for that place
and for an interpreter of this machine, which it runs with.`,
		Example: "  vpk venv .venv --python /usr/bin/python3.11",
		Args:    arguments(1, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd, s, args[0]) },
	}
	o.selection.add(cmd)
	o.sources.add(cmd)
	o.trace.add(cmd, s)
	flags := cmd.Flags()
	flags.StringVar(&o.project, "project", "", "`DIR` of the project (default the working directory)")
	flags.StringVar(&o.python, "python", "python3", "interpreter of the environment: the path of a `PROGRAM` or its name in PATH")
	flags.BoolVar(&o.bytecode, "bytecode", false, "compile bytecode (checked-hash)")
	return cmd
}

func (o *venvOptions) run(cmd *cobra.Command, s *streams, dir string) error {
	env, err := o.sources.environment(s)
	if err != nil {
		return err
	}
	var named []string
	if o.project != "" {
		named = append(named, o.project)
	}
	p, selection, err := o.selection.project(cmd, s.project(named), env)
	if err != nil {
		return err
	}
	span := trace.Start(cmd.Context(), trace.OpenCache, "")
	session, err := s.open(cmd.Context(), env, p)
	span.End()
	if err != nil {
		return err
	}
	defer session.close()
	result, err := pack.Venv(cmd.Context(), session.sources, pack.VenvOptions{
		Project:   p,
		Selection: selection,
		Dir:       dir,
		Python:    o.python,
		Bytecode:  o.bytecode,
	})
	session.done()
	if err != nil {
		return err
	}
	if !s.quiet {
		fmt.Fprintf(s.err, "installed %s with %s\n", progress.Count(len(result.Packages), "package"), result.Python)
	}
	_, err = fmt.Fprintln(s.out, result.Dir)
	return err
}
