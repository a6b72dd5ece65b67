package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/pack"
)

// selectionFlags are the words that choose packages from the lock: uv's.
type selectionFlags struct {
	pack.Selection
	locked bool
}

func (f *selectionFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.Package, "package", "", "pack this member of the workspace")
	flags.StringSliceVar(&f.Extras, "extra", nil, "include an extra (repeatable)")
	flags.BoolVar(&f.AllExtras, "all-extras", false, "include all extras")
	flags.StringSliceVar(&f.Groups, "group", nil, "include a dependency group (repeatable)")
	flags.StringSliceVar(&f.NoGroups, "no-group", nil, "leave out a dependency group (repeatable)")
	flags.StringSliceVar(&f.OnlyGroups, "only-group", nil, "include only this dependency group (repeatable)")
	flags.BoolVar(&f.AllGroups, "all-groups", false, "include all dependency groups")
	flags.BoolVar(&f.NoDefaultGroups, "no-default-groups", false, "leave out tool.uv.default-groups")
	flags.BoolVar(&f.Dev, "dev", false, "include the group dev, which is left out by default")
	flags.BoolVar(&f.NoDev, "no-dev", false, "leave out the group dev, also when something else includes it")
	flags.BoolVar(&f.locked, "locked", false, "refuse a lock that does not fit pyproject.toml (the default)")
	flags.BoolVar(&f.Frozen, "frozen", false, "use the lock as it is, whatever pyproject.toml says")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		return errors.Join(exclusive(cmd, "locked", "frozen"), exclusive(cmd, "dev", "no-dev"))
	}
}

// merged is what the flags say, where they say nothing what [tool.vpk] says.
func (f *selectionFlags) merged(cmd *cobra.Command, file config.File) pack.Selection {
	s := f.Selection
	if s.Package == "" {
		s.Package = file.Package
	}
	if !cmd.Flags().Changed("extra") {
		s.Extras = file.Extras
	}
	if !cmd.Flags().Changed("group") {
		s.Groups = file.Groups
	}
	return s
}

// exclusive is an error when more than one of the flags is given.
func exclusive(cmd *cobra.Command, names ...string) error {
	var given []string
	for _, name := range names {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return fault.New(fault.Usage, "choose one of them", "%s exclude each other", strings.Join(given, " and "))
	}
	return nil
}
