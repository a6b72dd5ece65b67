package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/progress"
	"vpk/internal/spelling"
)

const long = `vpk turns a Python project with a uv.lock into a distroless container image:
no Docker, no shell, no uv needed, the same digest on every machine.

Exit codes: 0 done, 1 anything else, 2 usage or configuration, 3 lock missing or stale,
4 a package that can't be installed, 5 hash mismatch or damaged archive, 6 network,
7 base image, 8 delivery (registry, daemon, disk), 9 sandbox or compile,
10 not reproducible, 11 two wheels claim one path, 130 interrupted.`

func newRoot(s *streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "vpk",
		Short:         "Distroless container images from a uv.lock",
		Long:          long,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          subcommands,
		Version:       version,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetIn(s.in)
	flags := root.PersistentFlags()
	flags.BoolVarP(&s.quiet, "quiet", "q", false, "say nothing but errors")
	flags.BoolVarP(&s.verbose, "verbose", "v", false, "say more")
	root.Flags().BoolP("version", "V", false, "print the version")
	root.SetFlagErrorFunc(flagError)
	root.SetUsageFunc(s.usage)
	root.SetHelpCommand(newHelp())
	root.AddCommand(newPack(s), newPlan(s), newTree(s), newVenv(s), newRun(s), newDiff(s), newReproduce(s), newBase(s), newCache(s), newVersion(s))
	addCompletion(root)
	return root
}

// flagError says what is wrong with a flag, in words of the command line.
func flagError(cmd *cobra.Command, err error) error {
	hint := fmt.Sprintf("see `%s --help`", cmd.CommandPath())
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		var names []string
		add := func(f *pflag.Flag) { names = append(names, f.Name) }
		cmd.Flags().VisitAll(add)
		cmd.InheritedFlags().VisitAll(add)
		if near := spelling.Nearest(unknown.GetSpecifiedName(), names); near != "" {
			hint = fmt.Sprintf("did you mean --%s?", near)
		}
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		want := map[string]string{"bool": "true or false", "uint": "a number from 0"}[f.Value.Type()]
		err = fmt.Errorf("--%s %q: want %s", f.Name, invalid.GetValue(), first(want, "another value"))
	}
	return fault.Wrap(fault.Usage, hint, err)
}

// arguments refuses fewer or more arguments than a command takes.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= most {
			return nil
		}
		return fault.New(fault.Usage, fmt.Sprintf("see `%s --help`", cmd.CommandPath()),
			"want `%s %s`, got %s", cmd.Parent().CommandPath(), cmd.Use, progress.Count(len(args), "argument"))
	}
}

// subcommands refuses words that are no command of cmd.
func subcommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := fmt.Sprintf("see `%s --help`", cmd.CommandPath())
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	if near := spelling.Nearest(args[0], names); near != "" {
		hint = fmt.Sprintf("did you mean `%s %s`?", cmd.CommandPath(), near)
	}
	return fault.New(fault.Usage, hint, "there is no command %q", args[0])
}

// environment reads the environment once.
func (s *streams) environment() (config.Environment, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = ""
	}
	return config.ReadEnvironment(s.environ(), dir)
}

// project is the directory that a command works on: its argument, else UV_PROJECT, else the working directory.
func (s *streams) project(args []string) string {
	if len(args) == 0 {
		return first(s.getenv("UV_PROJECT"), ".")
	}
	return args[0]
}
