package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"vpk/internal/fault"
	"vpk/internal/pack"
)

type reproduceOptions struct {
	buildFlags

	against string
}

func newReproduce(s *streams) *cobra.Command {
	var o reproduceOptions
	cmd := &cobra.Command{
		Use:   "reproduce [PROJECT]",
		Short: "Pack again under other conditions, and compare",
		Long: `Pack the project twice from nothing but downloads, the second time in another place, with other settings of
language, time zone, umask and hash seed, another number of workers and the packages in the other order, and
compare the images.

With --against, pack the project once, from the base, with the options and the time that IMAGE says it was made
with, and see whether its digest is reached. Flags that are given count more than what the image says.

stdout is the digest, or else all that differs, as vpk diff shows it. Exit code 10 says that something does.`,
		Example: "  vpk reproduce\n  vpk reproduce --against registry.example/team/service:1.0",
		Args:    arguments(0, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd, s, s.project(args)) },
	}
	o.add(cmd, s)
	cmd.Flags().StringVar(&o.against, "against", "", "`IMAGE` to reach: REF, oci:DIR[:TAG], oci-archive:FILE or docker-archive:FILE")
	cmd.Flags().BoolVar(&s.json, "json", false, "print a report as JSON")
	return cmd
}

func (o *reproduceOptions) run(cmd *cobra.Command, s *streams, dir string) error {
	task, isChild, err := childTask(s)
	if err != nil {
		return err
	}
	o.sources.parent = task.Cache
	session, options, err := o.open(cmd, s, dir)
	if err != nil {
		return err
	}
	defer session.close()
	if isChild {
		built, err := pack.Rebuild(cmd.Context(), session.sources, options, task.Conditions, task.Dir)
		if err != nil {
			return err
		}
		return json.NewEncoder(s.out).Encode(built)
	}
	result, err := o.reproduce(cmd, s, session, options)
	session.done()
	if err != nil {
		return err
	}
	return reportReproduction(s, result)
}

func (o *reproduceOptions) reproduce(cmd *cobra.Command, s *streams, session *session, options pack.Options) (*pack.Reproduction, error) {
	if o.against == "" {
		return pack.Reproduce(cmd.Context(), session.sources, pack.ReproduceOptions{
			Arch: options.Arch,
			Build: func(ctx context.Context, c pack.Conditions, dir string) (*pack.Build, error) {
				return buildInChild(ctx, s, childBuild{c, dir, session.sources.CacheDir()})
			},
		})
	}
	given := cmd.Flags().Changed
	against := pack.AgainstOptions{
		Image: o.against, Pack: options,
		OwnBase: given("base"), OwnBytecode: given("no-bytecode"), OwnSelection: o.selection.chosen(cmd), OwnCompression: given("compression"),
	}
	if len(o.image.platform) == 0 {
		against.Pack.Arch = "" // of several images the host's, as for every command that reads one
	}
	return pack.Against(cmd.Context(), session.sources, against)
}

func reportReproduction(s *streams, r *pack.Reproduction) error {
	if !s.quiet && !s.json {
		for _, b := range r.Builds {
			fmt.Fprintf(s.err, "%s  %.2f s  %s\n", b.Digest, b.Seconds, describe(b))
		}
		for _, c := range r.Against {
			if c.Image != c.Here {
				fmt.Fprintf(s.err, "%s: the image says %q, here it is %q\n", c.What, c.Image, c.Here)
			}
		}
	}
	var err error
	switch {
	case s.json:
		err = s.writeJSON(r)
		s.json = false // one document is enough
	case r.Reproducible:
		_, err = fmt.Fprintln(s.out, r.Digest)
	default:
		err = r.Difference.WriteText(s.out)
	}
	switch {
	case err != nil:
		return fmt.Errorf("print report: %w", err)
	case r.Reproducible:
		return nil
	case r.Against != nil:
		return fault.New(fault.NotReproducible, "", "the image is %s, packed again it is %s", r.Digest, r.Builds[0].Digest)
	}
	return fault.New(fault.NotReproducible, "please report this: equal input must give equal images", "the same project gave %s, and then %s", r.Digest, r.Builds[len(r.Builds)-1].Digest)
}

// describe is a build's conditions on one line.
func describe(b pack.Build) string {
	words := append([]string{b.Name + ":", "workers=" + strconv.Itoa(b.Workers)}, b.Env...)
	if b.Sandbox != "" {
		words = append(words, "sandbox="+b.Sandbox)
	}
	if b.Umask != "" {
		words = append(words, "umask="+b.Umask)
	}
	if b.Backwards {
		words = append(words, "packages from the last to the first")
	}
	return strings.Join(words, " ")
}

// childVariable makes `vpk reproduce` one of the builds that another one compares. It holds a childBuild as JSON.
const childVariable = "VPK_REPRODUCE_BUILD"

type childBuild struct {
	Conditions pack.Conditions
	Dir        string
	Cache      string // of the process that compares
}

// childTask is what this process is to build for another one, if so; the umask is set here.
func childTask(s *streams) (task childBuild, isChild bool, err error) {
	text := s.getenv(childVariable)
	if text == "" {
		return task, false, nil
	}
	if err := json.Unmarshal([]byte(text), &task); err != nil {
		return task, true, fault.New(fault.Usage, "unset it", "read %s: %w", childVariable, err)
	}
	if u := task.Conditions.Umask; u != "" {
		mask, err := strconv.ParseUint(u, 8, 9)
		if err != nil {
			return task, true, fault.New(fault.Usage, "unset it", "read %s: umask %q is not one", childVariable, u)
		}
		syscall.Umask(int(mask))
	}
	s.quiet, s.json = true, false
	return task, true, nil
}

// childGrace is how long a build has to end once it was asked to.
const childGrace = 10 * time.Second

// buildInChild runs this program again, with the same words, to build under conditions that a process has as a whole.
func buildInChild(ctx context.Context, s *streams, b childBuild) (*pack.Build, error) {
	c := b.Conditions
	task, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("describe build: %w", err)
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, exe)
	cmd.Args = os.Args
	cmd.Env = slices.Concat(s.environ(), c.Env, []string{childVariable + "=" + string(task)}) // of two values the later counts
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = childGrace
	err = cmd.Run()
	var exited *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &exited) && exited.ExitCode() > 0:
		return nil, childError(exited.ExitCode(), said.String())
	case err != nil:
		return nil, fmt.Errorf("build %s: %w", c.Name, err)
	}
	var built pack.Build
	if err := json.Unmarshal(out.Bytes(), &built); err != nil {
		return nil, fmt.Errorf("build %s: read its report: %w", c.Name, err)
	}
	return &built, nil
}

// childError is the error that a build has printed, of the kind that its exit code says.
func childError(code int, said string) error {
	message, hint, _ := strings.Cut(strings.TrimSpace(said), "\nhint: ")
	message = strings.ReplaceAll(strings.TrimPrefix(message, "vpk: "), "\n     ", "\n")
	return fault.New(fault.Kind(code), strings.ReplaceAll(hint, "\nhint: ", "; "), "%s", message)
}
