package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"vpk/internal/pack"
	"vpk/internal/progress"
)

type planOptions struct {
	selection selectionFlags
	target    targetFlags
}

func newPlan(s *streams) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan [PROJECT]",
		Short: "Show the packages and wheels that would be packed",
		Long: `Show the packages that would be packed, the wheel that was chosen for each, and on stderr
what a pack would suffer from: packages without hashes, large ones, and, once all wheels are in
the cache, paths that two packages claim.

The target is the base image's, or the one that --python-version and --python-platform name,
which needs neither a base image nor a network.`,
		Example: "  vpk plan --python-version 3.11 --python-platform x86_64-manylinux_2_36 --json",
		Args:    arguments(0, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd, s, s.project(args)) },
	}
	o.selection.add(cmd)
	o.target.add(cmd)
	cmd.Flags().BoolVar(&s.json, "json", false, "print JSON")
	return cmd
}

func (o *planOptions) run(cmd *cobra.Command, s *streams, dir string) error {
	if err := o.target.check(cmd); err != nil {
		return err
	}
	env, err := o.target.sources.environment(s)
	if err != nil {
		return err
	}
	p, selection, err := o.selection.project(cmd, dir, env)
	if err != nil {
		return err
	}
	return o.target.choose(cmd, s, env, p, selection, func(c *pack.Choice) error {
		plan, err := c.Plan()
		if err != nil {
			return err
		}
		if s.json {
			return s.writeJSON(plan)
		}
		if err := writePackages(s.out, plan.Packages); err != nil || s.quiet {
			return err
		}
		fmt.Fprintln(s.err, totals(plan.Target, len(plan.Packages), plan.Size, plan.Cached))
		for _, w := range plan.Warnings {
			fmt.Fprintf(s.err, "%s %s; %s\n", s.style("1;33", "warning:"), w.Message, w.Hint)
		}
		return nil
	})
}

// totals is "CPython 3.11.2 on manylinux_2_36_x86_64: 35 packages, 12.3 MB, 30 in the cache".
func totals(target string, packages int, size int64, cached int) string {
	return fmt.Sprintf("%s: %s, %s, %d in the cache", target, progress.Count(packages, "package"), progress.Bytes(size), cached)
}

// writePackages writes a line for each package: name, version, size, file or, of one installed in place, its directory.
func writePackages(w io.Writer, packages []pack.Package) error {
	var columns [3]int
	rows := make([][3]string, len(packages))
	for i, p := range packages {
		rows[i] = [3]string{p.Name, p.Version, size(p)}
		for c, cell := range rows[i] {
			columns[c] = max(columns[c], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for i, p := range packages {
		fmt.Fprintf(&out, "%-*s  %-*s  %*s  %s\n", columns[0], rows[i][0], columns[1], rows[i][1], columns[2], rows[i][2], first(p.File, p.Path))
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// size is empty where nothing tells it.
func size(p pack.Package) string {
	if p.Size == 0 {
		return ""
	}
	return progress.Bytes(p.Size)
}
