package main

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/pack"
	"vpk/internal/trace"
)

// selectionFlags are the words that choose packages from the lock: uv's.
type selectionFlags struct {
	pack.Selection
	locked bool
}

func (f *selectionFlags) add(cmd *cobra.Command) {
	flags, add := section(cmd, headingPackages)
	defer add()
	flags.StringSliceVar(&f.Packages, "package", nil, "pack this member of the workspace, by its `NAME` (repeatable)")
	flags.BoolVar(&f.AllPackages, "all-packages", false, "pack every member of the workspace")
	flags.StringSliceVar(&f.Extras, "extra", nil, "include the extra `NAME` (repeatable)")
	flags.BoolVar(&f.AllExtras, "all-extras", false, "include all extras")
	flags.StringSliceVar(&f.NoExtras, "no-extra", nil, "leave out the extra `NAME` of --all-extras (repeatable)")
	flags.StringSliceVar(&f.Groups, "group", nil, "include the dependency group `NAME` (repeatable)")
	flags.StringSliceVar(&f.NoGroups, "no-group", nil, "leave out the dependency group `NAME` (repeatable)")
	flags.StringSliceVar(&f.OnlyGroups, "only-group", nil, "include only the dependency group `NAME` (repeatable)")
	flags.BoolVar(&f.AllGroups, "all-groups", false, "include all dependency groups")
	flags.BoolVar(&f.NoDefaultGroups, "no-default-groups", false, "leave out tool.uv.default-groups")
	flags.BoolVar(&f.Dev, "dev", false, "include the group dev, which is left out by default")
	flags.BoolVar(&f.OnlyDev, "only-dev", false, "include only the group dev")
	flags.BoolVar(&f.NoDev, "no-dev", false, "leave out the group dev, also when something else includes it")
	flags.StringSliceVar(&f.NoInstall, "no-install-package", nil, "leave out the package `NAME`, though not its dependencies (repeatable)")
	flags.BoolVar(&f.NoInstallProject, "no-install-project", false, "leave out the project itself")
	flags.BoolVar(&f.NoInstallWorkspace, "no-install-workspace", false, "leave out every member of the workspace")
	flags.BoolVar(&f.NoInstallLocal, "no-install-local", false, "leave out what is a file or a directory, not in an index")
	flags.BoolVar(&f.RequireHashes, "require-hashes", false, "refuse wheels of this machine that the lock has no hash for")
	flags.BoolVar(&f.locked, "locked", false, "refuse a lock that does not fit pyproject.toml (the default)")
	flags.BoolVar(&f.Frozen, "frozen", false, "use the lock as it is, whatever pyproject.toml says")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		return exclusives(cmd, func(string, string) bool { return false })
	}
}

// choices are the flags that say which packages; the others say what is asked of a lock.
var choices = []string{
	"package", "all-packages", "extra", "all-extras", "no-extra", "group", "no-group", "only-group", "all-groups", "no-default-groups",
	"dev", "only-dev", "no-dev", "no-install-package", "no-install-project", "no-install-workspace", "no-install-local",
}

// chosen says whether the command line says which packages.
func (f *selectionFlags) chosen(cmd *cobra.Command) bool {
	return slices.ContainsFunc(choices, cmd.Flags().Changed)
}

// exclusivePairs are the flags that exclude each other, as in uv.
var exclusivePairs = [][2]string{
	{"locked", "frozen"}, {"dev", "no-dev"}, {"only-dev", "no-dev"}, {"package", "all-packages"},
	{"extra", "all-extras"}, {"extra", "only-group"}, {"all-extras", "only-group"},
	{"group", "only-group"}, {"group", "only-dev"}, {"all-groups", "only-group"}, {"all-groups", "only-dev"}, {"dev", "only-group"},
}

// exclusives refuses flags that exclude each other, unless a command makes an exception of them.
func exclusives(cmd *cobra.Command, except func(a, b string) bool) error {
	var errs []error
	for _, pair := range exclusivePairs {
		if !except(pair[0], pair[1]) {
			errs = append(errs, exclusive(cmd, pair[0], pair[1]))
		}
	}
	return errors.Join(errs...)
}

// project reads the project in a directory, with uv's settings for it, and what to select from it.
func (f *selectionFlags) project(cmd *cobra.Command, dir string, env config.Environment) (*pack.Project, pack.Selection, error) {
	span := trace.Start(cmd.Context(), trace.ReadProject, filepath.Base(dir))
	defer span.End()
	p, err := pack.ReadProject(dir, f.Packages, f.AllPackages)
	if err != nil {
		return nil, pack.Selection{}, err
	}
	if err := p.Configure(env); err != nil {
		return nil, pack.Selection{}, err
	}
	selection, err := f.merged(cmd, env.Selection, p)
	return p, selection, err
}

// merged is what the flags say, with the environment, and where they say nothing what [tool.vpk] says. As in uv, the variables are
// as good as the flags of their names, but for UV_NO_GROUP, which --no-group replaces.
func (f *selectionFlags) merged(cmd *cobra.Command, env config.Selection, p *pack.Project) (pack.Selection, error) {
	s := f.Selection
	given := cmd.Flags().Changed
	s.Frozen = s.Frozen || env.Frozen
	if locked := f.locked || env.Locked; locked && s.Frozen {
		return s, fault.New(fault.Usage, "choose one of them: --locked, UV_LOCKED, --frozen, UV_FROZEN", "the lock can't be both checked (locked) and taken as it is (frozen)")
	}
	s.Dev, s.NoDev = s.Dev || env.Dev, s.NoDev || env.NoDev
	s.NoDefaultGroups = s.NoDefaultGroups || env.NoDefaultGroups
	if !given("no-group") {
		s.NoGroups = env.NoGroups
	}
	file := p.Config
	if !given("package") && !given("all-packages") {
		s.Packages = p.Packages
	}
	onlyGroups := given("only-group") || given("only-dev")
	if !given("extra") && !given("all-extras") && !onlyGroups {
		s.Extras = file.Extras
	}
	if !given("group") && !given("all-groups") && !onlyGroups {
		s.Groups = file.Groups
	}
	return s, nil
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
