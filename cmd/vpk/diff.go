package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/pack"
)

type diffOptions struct {
	sources  sourceFlags
	platform string
}

// different is the exit code of a comparison that finds a difference, as diff(1) has it.
const different exitStatus = 1

func newDiff(s *streams) *cobra.Command {
	var o diffOptions
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Show all that is different between two images",
		Long: `Compare two images: oci:DIR[:TAG] or only the layout's DIR, oci-archive:FILE, docker-archive:FILE, or a
registry's reference. Shown are the fields of manifest and config that differ; the layers, with each entry
of their archives (mode, owner, time, content, ...) and the place where contents part; and the files that
a container sees. Nothing is printed when the images are equal.

Exit codes: 0 equal, 1 different, else as for every command (an error prints nothing on stdout, but for --json).`,
		Example: "  vpk diff oci:before oci:after\n  vpk diff registry.example/demo:1 registry.example/demo:2 --json",
		Args:    arguments(2, 2),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd, s, args[0], args[1]) },
	}
	o.sources.add(cmd)
	cmd.Flags().StringVar(&o.platform, "platform", "", "platform to compare, `linux/ARCH`: amd64 or arm64 (default the host's)")
	cmd.Flags().BoolVar(&s.json, "json", false, "print the differences as JSON")
	return cmd
}

func (o *diffOptions) run(cmd *cobra.Command, s *streams, a, b string) error {
	arch := ""
	if o.platform != "" {
		var err error
		if arch, err = config.ParsePlatform(o.platform); err != nil {
			return fault.Wrap(fault.Usage, "", err)
		}
	}
	session, err := o.sources.open(cmd.Context(), s)
	if err != nil {
		return err
	}
	defer session.close()
	report, err := pack.Diff(cmd.Context(), session.sources, a, b, arch)
	session.done()
	if err != nil {
		return err
	}
	if s.json {
		err = s.writeJSON(report)
	} else {
		err = report.WriteText(s.out)
	}
	switch {
	case err != nil:
		return fmt.Errorf("print differences: %w", err)
	case !report.Equal:
		return different
	case !s.quiet && !s.json:
		fmt.Fprintf(s.err, "the images are equal: %s\n", report.A.Digest)
	}
	return nil
}
