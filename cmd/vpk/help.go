package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"vpk/internal/fault"
)

// headings are the parts of a command's flags in its help, in this order; flags of none come first.
const (
	headingPackages = "Packages"
	headingImage    = "Image"
	headingTarget   = "Target"
	headingSources  = "Cache and network"
)

var headings = []string{headingPackages, headingImage, headingTarget, headingSources}

const headingAnnotation = "vpk_heading"

// section collects flags for a part of the help; add gives them to the command.
func section(cmd *cobra.Command, heading string) (flags *pflag.FlagSet, add func()) {
	flags = pflag.NewFlagSet(heading, pflag.ContinueOnError)
	return flags, func() {
		flags.VisitAll(func(f *pflag.Flag) { f.Annotations = map[string][]string{headingAnnotation: {heading}} })
		cmd.Flags().AddFlagSet(flags)
	}
}

// usage is the end of a help text: how to write the command, examples, commands below it, and flags by their headings.
func (s *streams) usage(cmd *cobra.Command) error {
	var b strings.Builder
	line := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		line = cmd.CommandPath() + " COMMAND"
	}
	fmt.Fprintf(&b, "Usage:\n  %s\n", line)
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() || c.Name() == "help" {
				fmt.Fprintf(&b, "  %-*s  %s\n", cmd.NamePadding(), c.Name(), c.Short)
			}
		}
	}
	width := s.width()
	under := func(heading string) func(*pflag.Flag) bool {
		return func(f *pflag.Flag) bool { return strings.Join(f.Annotations[headingAnnotation], "") == heading }
	}
	writeFlags(&b, "Flags", cmd.LocalFlags(), width, under(""))
	for _, heading := range headings {
		writeFlags(&b, heading, cmd.LocalFlags(), width, under(heading))
	}
	writeFlags(&b, "Global flags", cmd.InheritedFlags(), width, func(*pflag.Flag) bool { return true })
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n`%s COMMAND --help` tells more about a command.\n", cmd.CommandPath())
	}
	_, err := fmt.Fprint(cmd.OutOrStderr(), b.String())
	return err
}

func writeFlags(b *strings.Builder, title string, flags *pflag.FlagSet, width int, want func(*pflag.Flag) bool) {
	chosen := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.VisitAll(func(f *pflag.Flag) {
		if want(f) {
			chosen.AddFlag(f)
		}
	})
	if chosen.HasAvailableFlags() {
		fmt.Fprintf(b, "\n%s:\n%s", title, chosen.FlagUsagesWrapped(width))
	}
}

// width is that of the terminal that help goes to, 0 for no terminal.
func (s *streams) width() int {
	f, ok := s.out.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// newHelp is `vpk help [COMMAND...]`.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				if about.HasAvailableSubCommands() {
					return subcommands(about, rest)
				}
				return fault.New(fault.Usage, fmt.Sprintf("see `%s --help`", about.CommandPath()), "`%s` has no command %q", about.CommandPath(), rest[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// addCompletion adds `vpk completion SHELL`, which cobra writes.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Short, cmd.Long = "Write a script that completes words of vpk in a shell", "Write the script to stdout; the help of each shell says where it belongs."
		cmd.Args, cmd.RunE = subcommands, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		for _, shell := range cmd.Commands() {
			shell.Short = "Write the script for " + shell.Name()
		}
	}
}
