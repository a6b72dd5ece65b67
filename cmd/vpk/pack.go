package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/pack"
	"vpk/internal/progress"
	"vpk/layer"
)

type packOptions struct {
	buildFlags

	tags       []string
	push       bool
	load       string
	outputs    []string
	digestFile string
}

// imageFlags are the words that say what the image is made from.
type imageFlags struct {
	several    bool // platforms: the command takes several
	base       string
	platform   []string
	sandbox    string
	noBytecode bool
}

func (f *imageFlags) add(cmd *cobra.Command) {
	flags, add := section(cmd, headingImage)
	defer add()
	flags.StringVar(&f.base, "base", "", "base image: `REF`, oci:DIR[:TAG], oci-archive:FILE or docker-archive:FILE (default "+config.DefaultBase+")")
	usage := "platform of the image, `linux/ARCH`: amd64 or arm64 (default the host's)"
	if f.several {
		usage += "; several, with commas between them, give an index"
	}
	flags.StringSliceVar(&f.platform, "platform", nil, usage)
	flags.StringVar(&f.sandbox, "sandbox", "", "`WHERE` bytecode is compiled: auto, namespaces, direct, docker, podman or the path of an interpreter (default auto)")
	flags.BoolVar(&f.noBytecode, "no-bytecode", false, "leave out bytecode")
}

// merge fills o with what the flags say, else the environment, else the file.
func (f *imageFlags) merge(o *pack.Options, env config.Environment, file config.File) error {
	o.Base = first(f.base, env.Base, file.Base, config.DefaultBase)
	o.Sandbox = first(f.sandbox, env.Sandbox, "auto")
	o.Bytecode = !f.noBytecode
	o.Created = env.Created
	platforms := f.platform
	if len(platforms) == 0 {
		platforms = file.Platforms
	}
	var archs []string
	for _, p := range platforms {
		arch, err := config.ParsePlatform(p)
		if err != nil {
			return fault.Wrap(fault.Usage, "", err)
		}
		archs = append(archs, arch)
	}
	slices.Sort(archs) // the same platforms in another order are the same image
	archs = slices.Compact(archs)
	switch {
	case len(archs) == 0:
	case len(archs) == 1:
		o.Arch = archs[0]
	case f.several:
		o.Archs = archs
	case len(f.platform) > 0:
		return fault.New(fault.Usage, "name one of them", "this command is for one platform, not for %q", platforms)
	case !slices.Contains(archs, runtime.GOARCH):
		o.Arch = archs[0]
	}
	return nil
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

func newPack(s *streams) *cobra.Command {
	var o packOptions
	cmd := &cobra.Command{
		Use:   "pack [PROJECT]",
		Short: "Pack a project with a uv.lock into a container image",
		Long: `Pack the project in PROJECT (default: the working directory) into a container image
and deliver it. Where to is --push, --load or -o, several at once if you like.

stdout is the reference of the image by digest. Settings that belong to the project are in
[tool.vpk] of its pyproject.toml; flags beat the environment, the environment beats the file.`,
		Example: `  vpk pack -t registry.example/team/service:1.0 --push
  vpk pack -t service:1.0 --load
  vpk pack -o oci:image`,
		Args: arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := o.run(cmd, s, s.project(args))
			if o.load == "auto" && slices.Contains([]string{"docker", "podman", "nerdctl"}, s.project(args)) {
				err = fault.Wrap(fault.KindOf(err), fmt.Sprintf("write --load=%s to name the engine", args[0]), err)
			}
			return err
		},
	}
	o.image.several = true
	o.add(cmd, s)
	flags := cmd.Flags()
	flags.StringArrayVarP(&o.tags, "tag", "t", nil, "name of the image, `NAME[:TAG]` (repeatable)")
	flags.BoolVar(&o.push, "push", false, "push to the registry that each tag names")
	flags.StringVar(&o.load, "load", "", "load into a container `ENGINE`: docker, podman or nerdctl (default the first that is there)")
	flags.Lookup("load").NoOptDefVal = "auto"
	flags.StringArrayVarP(&o.outputs, "output", "o", nil, "write to `FORM:PATH`: oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE or dir:DIR (repeatable)")
	flags.BoolVar(&s.json, "json", false, "print a report as JSON instead of the reference")
	flags.StringVar(&o.digestFile, "digest-file", "", "write the image's digest to this `FILE`")
	return cmd
}

func (o *packOptions) run(cmd *cobra.Command, s *streams, dir string) error {
	deliveries, err := o.deliveries()
	if err != nil {
		return err
	}
	session, options, err := o.open(cmd, s, dir)
	if err != nil {
		return err
	}
	defer session.close()
	options.Tags, options.Deliveries = o.tags, deliveries
	result, err := pack.Pack(cmd.Context(), session.sources, options)
	session.done()
	if err != nil {
		return err
	}
	return o.report(s, result)
}

// deliveries turns --push, --load and -o into what pack wants.
func (o *packOptions) deliveries() (pack.Deliveries, error) {
	d := pack.Deliveries{Push: o.push, Load: o.load, DigestFile: o.digestFile, TraceFile: o.trace.file}
	for _, text := range o.outputs {
		out, err := layer.ParseOutput(text)
		if err != nil {
			return d, err
		}
		d.Outputs = append(d.Outputs, out)
	}
	switch {
	case !d.Push && d.Load == "" && len(d.Outputs) == 0:
		return d, fault.New(fault.Usage, "try `-o oci:image`", "say where the image goes: --push, --load, -o oci:DIR, -o oci-archive:FILE, -o docker-archive:FILE or -o dir:DIR")
	case d.Push && len(o.tags) == 0:
		return d, fault.New(fault.Usage, "add `-t REGISTRY/NAME:TAG`", "--push needs a name to push to")
	}
	return d, nil
}

func (o *packOptions) report(s *streams, result *pack.Result) error {
	if o.digestFile != "" {
		if err := os.WriteFile(filepath.Clean(o.digestFile), []byte(result.Digest+"\n"), 0o644); err != nil {
			return fault.New(fault.Delivery, "", "write digest file: %w", err)
		}
	}
	if s.json {
		return s.writeJSON(result)
	}
	if !s.quiet {
		summary(s, result)
	}
	_, err := fmt.Fprintln(s.out, result.Reference)
	return err
}

// summary is the few lines that people read after a pack.
func summary(s *streams, r *pack.Result) {
	images := r.Images
	if r.ImageReport != nil {
		images = []*pack.ImageReport{r.ImageReport}
	}
	for _, i := range images {
		cached := 0
		for _, p := range i.Packages {
			if p.Cached {
				cached++
			}
		}
		took := ""
		if len(images) == 1 {
			took = fmt.Sprintf(" in %.2f s", r.Seconds)
		}
		fmt.Fprintf(s.err, "packed %s (%d from the cache) for %s%s\n", progress.Count(len(i.Packages), "package"), cached, i.Platform, took)
		for _, l := range i.Layers {
			fmt.Fprintf(s.err, "  %-24s %10s  %s\n", l.Name, progress.Bytes(l.Size), l.Digest)
		}
		if b := i.Bytecode; s.verbose && b.Modules+len(b.Failures) > 0 {
			fmt.Fprintf(s.err, "bytecode for %s of %d\n", progress.Count(b.Modules, "module"), b.Modules+len(b.Failures)+b.Excluded)
		}
	}
	if len(images) > 1 {
		fmt.Fprintf(s.err, "packed %s in %.2f s\n", progress.Count(len(images), "platform"), r.Seconds)
	}
	for _, d := range r.Deliveries {
		fmt.Fprintf(s.err, "%s\n", d)
	}
}
