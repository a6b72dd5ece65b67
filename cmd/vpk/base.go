package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"vpk/internal/pack"
)

type baseOptions struct {
	sources sourceFlags
	image   imageFlags
}

func newBase(s *streams) *cobra.Command {
	base := &cobra.Command{
		Use:   "base",
		Short: "Work with the base image of a project",
		Args:  subcommands,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	base.AddCommand(newBasePin(s))
	return base
}

func newBasePin(s *streams) *cobra.Command {
	var o baseOptions
	cmd := &cobra.Command{
		Use:   "pin [PROJECT]",
		Short: "Write the digest that the base image has now into [tool.vpk]",
		Args:  arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			env, err := o.sources.environment(s)
			if err != nil {
				return err
			}
			p, err := pack.ReadManifest(s.project(args))
			if err != nil {
				return err
			}
			if err := p.Configure(env); err != nil {
				return err
			}
			session, err := s.open(cmd.Context(), env, p)
			if err != nil {
				return err
			}
			defer session.close()
			options := pack.Options{Project: p}
			if err := o.image.merge(&options, session.env, p.Config); err != nil {
				return err
			}
			pin, err := pack.PinBase(cmd.Context(), session.sources, options)
			session.done()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(s.out, pin)
			return err
		},
	}
	o.sources.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.image.base, "base", "", "base image `REF` to pin instead of the configured one")
	flags.StringSliceVar(&o.image.platform, "platform", nil, "platform `linux/ARCH` to check the base for (default the host's)")
	return cmd
}
