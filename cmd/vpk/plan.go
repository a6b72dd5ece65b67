package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/pack"
	"vpk/internal/progress"
)

type planOptions struct {
	selection selectionFlags
	sources   sourceFlags
	image     imageFlags

	pythonVersion  string
	pythonPlatform string
}

func newPlan(s *streams) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan [PROJECT]",
		Short: "Show the packages and wheels that would be packed",
		Long: `Show the packages that would be packed and the wheel that was chosen for each.

The target is the base image's, or the one that --python-version and --python-platform name,
which needs neither a base image nor a network.`,
		Example: "  vpk plan --python-version 3.11 --python-platform x86_64-manylinux_2_36 --json",
		Args:    arguments(0, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd, s, s.project(args)) },
	}
	o.selection.add(cmd)
	o.sources.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.image.base, "base", "", "base image whose interpreter is the target")
	flags.StringSliceVar(&o.image.platform, "platform", nil, "platform of the image, linux/amd64 or linux/arm64 (default the host's)")
	flags.StringVar(&o.pythonVersion, "python-version", "", "version of the target's interpreter, 3.11 or 3.11.2")
	flags.StringVar(&o.pythonPlatform, "python-platform", "", "platform of the target in uv's words, x86_64-manylinux_2_36")
	flags.BoolVar(&s.json, "json", false, "print JSON")
	return cmd
}

func (o *planOptions) run(cmd *cobra.Command, s *streams, dir string) error {
	if err := errors.Join(exclusive(cmd, "python-version", "base"), exclusive(cmd, "python-version", "platform")); err != nil {
		return err
	}
	if (o.pythonVersion == "") != (o.pythonPlatform == "") {
		return fault.New(fault.Usage, "try `--python-version 3.11 --python-platform x86_64-manylinux_2_36`", "--python-version and --python-platform need each other")
	}
	env, err := o.sources.environment(s)
	if err != nil {
		return err
	}
	p, selection, err := o.selection.project(cmd, dir, env)
	if err != nil {
		return err
	}
	var plan *pack.PlanReport
	if o.pythonVersion != "" {
		target, err := config.ParseTarget(o.pythonVersion, o.pythonPlatform)
		if err != nil {
			return err
		}
		if plan, err = pack.PlanFor(p, selection, target); err != nil {
			return err
		}
		if plan.Note != "" && !s.quiet {
			fmt.Fprintln(s.err, plan.Note)
		}
	} else if plan, err = o.planForBase(cmd, s, env, p, selection); err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(plan)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, pkg := range plan.Packages {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", pkg.Name, pkg.Version, size(pkg), pkg.File)
	}
	return w.Flush()
}

func (o *planOptions) planForBase(cmd *cobra.Command, s *streams, env config.Environment, p *pack.Project, selection pack.Selection) (*pack.PlanReport, error) {
	session, err := s.open(env, p)
	if err != nil {
		return nil, err
	}
	defer session.close()
	options := pack.Options{Project: p, Selection: selection}
	if err := o.image.merge(&options, session.env, p.Config); err != nil {
		return nil, err
	}
	return pack.Plan(cmd.Context(), session.sources, options)
}

// size is empty where nothing tells it.
func size(p pack.Package) string {
	if p.Size == 0 {
		return ""
	}
	return progress.Bytes(p.Size)
}
