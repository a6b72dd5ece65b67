package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"vpk/internal/pack"
	"vpk/internal/progress"
)

type treeOptions struct {
	selection selectionFlags
	target    targetFlags

	depth    uint
	noDedupe bool
	view     pack.TreeView
}

func newTree(s *streams) *cobra.Command {
	var o treeOptions
	cmd := &cobra.Command{
		Use:   "tree [PROJECT]",
		Short: "Show which package requires which, with sizes",
		Long: `Show the packages that would be packed as the tree of their requirements, for one target.

Each package has the size of its wheel and, with what it requires, the size in all; with -v also
the size of its files, where the wheel is in the cache. The target is chosen as by vpk plan. A package that
stands there again has a (*), and its requirements are not repeated.

--package NAME shows the tree of one package. Of a workspace, members are selected for, as
everywhere. With --invert the tree goes from a package to those that require it: it tells
why the package is there.`,
		Example: `  vpk tree
  vpk tree --invert --package idna
  vpk tree --depth 1 --python-version 3.13 --python-platform aarch64-manylinux_2_28`,
		Args: arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, s, s.project(args)) },
	}
	o.selection.add(cmd)
	o.target.add(cmd)
	flags := cmd.Flags()
	flags.Lookup("package").Usage = "show only the tree of the package, or member of the workspace, `NAME` (repeatable)"
	flags.Lookup("all-packages").Usage = "show every member of the workspace"
	flags.UintVarP(&o.depth, "depth", "d", 255, "show the tree to the depth `N`")
	flags.StringSliceVar(&o.view.Prune, "prune", nil, "leave out the package `NAME`, and what only it requires (repeatable)")
	flags.BoolVar(&o.view.Invert, "invert", false, "show who requires a package")
	flags.BoolVar(&o.noDedupe, "no-dedupe", false, "repeat the requirements of packages that stand there again")
	flags.BoolVar(&s.json, "json", false, "print JSON")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		return exclusives(cmd, func(a, b string) bool { return a == "package" && b == "all-packages" })
	}
	return cmd
}

func (o *treeOptions) run(cmd *cobra.Command, s *streams, dir string) error {
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
	if cmd.Flags().Changed("package") {
		o.view.Packages = o.selection.Packages
		selection.Packages = o.members(p)
	}
	return o.target.choose(cmd, s, env, p, selection, func(c *pack.Choice) error {
		tree, err := c.Tree(o.view)
		if err != nil {
			return err
		}
		if s.json {
			return s.writeJSON(tree)
		}
		d := newDrawing(tree, o, s.verbose)
		if _, err := fmt.Fprint(s.out, d.draw(tree)); err != nil || s.quiet {
			return err
		}
		if !o.view.Invert {
			_, err = fmt.Fprintln(s.err, totals(tree.Target, tree.Installed, tree.Size, tree.Cached))
		}
		return err
	})
}

// members are those that --package selects for; where there are none, or only what is shown is meant, those of [tool.vpk].
func (o *treeOptions) members(p *pack.Project) []string {
	members, _ := p.SplitMembers(o.selection.Packages)
	switch {
	case o.selection.AllPackages:
		return nil
	case len(members) > 0 && !o.view.Invert:
		return members
	case p.Config.Package != "":
		return []string{p.Config.Package}
	}
	return nil
}

// drawing draws a tree as uv does (crates/uv-resolver/src/lock/tree.rs).
type drawing struct {
	depth     uint
	noDedupe  bool
	invert    bool
	installed bool // show the size of what is installed, where it is known
	packages  map[string]*pack.TreePackage

	out      strings.Builder
	path     map[string]bool // what is being drawn
	drawn    map[string]bool // whose requirements were drawn
	repeated bool
}

func newDrawing(tree *pack.TreeReport, o *treeOptions, installed bool) *drawing {
	d := &drawing{
		depth: o.depth, noDedupe: o.noDedupe, invert: o.view.Invert, installed: installed,
		packages: map[string]*pack.TreePackage{}, path: map[string]bool{}, drawn: map[string]bool{},
	}
	for i := range tree.Packages {
		d.packages[tree.Packages[i].Name] = &tree.Packages[i]
	}
	return d
}

func (d *drawing) draw(tree *pack.TreeReport) string {
	for _, root := range tree.Roots {
		if root != "." {
			d.visit(pack.TreeEdge{Name: root}, "", "", "", 0)
			continue
		}
		// A workspace root that is no project is no package: what its groups require stands at the top.
		for _, e := range d.next(root) {
			d.visit(e, root, "", "", 0)
		}
	}
	if d.repeated && d.noDedupe {
		d.out.WriteString("(*) a cycle, which cannot be drawn\n")
	} else if d.repeated {
		d.out.WriteString("(*) its requirements are drawn above\n")
	}
	return d.out.String()
}

// next are the edges to follow from a package.
func (d *drawing) next(name string) []pack.TreeEdge {
	if d.invert {
		return d.packages[name].RequiredBy
	}
	return d.packages[name].Requires
}

// visit draws a package that an edge leads to from another, and what is below it. Its line begins with top, those below
// with rest.
func (d *drawing) visit(e pack.TreeEdge, from, top, rest string, depth uint) {
	p := d.packages[e.Name]
	next := d.next(e.Name)
	again := len(next) > 0 && (d.path[e.Name] || d.drawn[e.Name] && !d.noDedupe)
	d.out.WriteString(top + d.label(p, e, from))
	if again {
		d.out.WriteString(" (*)")
		d.repeated = true
	}
	d.out.WriteByte('\n')
	if again || depth >= d.depth {
		return
	}
	d.path[e.Name], d.drawn[e.Name] = true, true
	for i, below := range next {
		if i < len(next)-1 {
			d.visit(below, e.Name, rest+"├── ", rest+"│   ", depth+1)
		} else {
			d.visit(below, e.Name, rest+"└── ", rest+"    ", depth+1)
		}
	}
	delete(d.path, e.Name)
}

// label is what a line says of a package: "uvicorn[standard] v0.46.0 (extra: server) (70.3 kB, 4.5 MB in all)".
func (d *drawing) label(p *pack.TreePackage, e pack.TreeEdge, from string) string {
	var label strings.Builder
	label.WriteString(p.Name)
	extras := ""
	if len(e.Extras) > 0 {
		extras = "[" + strings.Join(e.Extras, ", ") + "]"
	}
	if !d.invert {
		label.WriteString(extras)
	}
	if p.Version != "" {
		label.WriteString(" v" + p.Version)
	}
	switch {
	case e.Group != "":
		fmt.Fprintf(&label, " (group: %s)", e.Group)
	case e.Extra != "":
		fmt.Fprintf(&label, " (extra: %s)", e.Extra)
	}
	if d.invert && extras != "" {
		fmt.Fprintf(&label, " (requires %s%s)", from, extras)
	}
	var sizes []string
	if own := size(p.Package); own != "" {
		sizes = append(sizes, own)
	}
	if d.installed && p.InstalledSize > 0 {
		sizes = append(sizes, progress.Bytes(p.InstalledSize)+" installed")
	}
	if !d.invert && p.TotalSize > p.Size {
		sizes = append(sizes, progress.Bytes(p.TotalSize)+" in all")
	}
	if len(sizes) > 0 {
		fmt.Fprintf(&label, " (%s)", strings.Join(sizes, ", "))
	}
	return label.String()
}
