package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vpk/internal/cas"
	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/pack"
	"vpk/internal/progress"
)

// pruneAge is what prune goes by where nothing else is said.
const pruneAge = "30d"

func newCache(s *streams) *cobra.Command {
	cache := &cobra.Command{
		Use:   "cache",
		Short: "Look at the cache, prove it and limit it",
		Args:  subcommands,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cache.AddCommand(newCacheDir(s), newCacheInfo(s), newCacheVerify(s), newCachePrune(s), newCacheClean(s))
	return cache
}

// cacheFlags are the words of all commands that look after a cache.
type cacheFlags struct {
	cacheDir string
	force    bool
}

func (f *cacheFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.cacheDir, "cache-dir", "", cacheDirUsage)
}

func (f *cacheFlags) addForce(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.force, "force", false, "do not wait for processes that use the cache")
}

// dir is the cache directory and those below it.
func (f *cacheFlags) dir(s *streams) (dir string, fallbacks []string, err error) {
	env, err := s.environment()
	if err != nil {
		return "", nil, err
	}
	if dir = first(f.cacheDir, env.CacheDir); dir == "" {
		return "", nil, errNoCacheDir
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", nil, fault.Wrap(fault.Usage, "", err)
	}
	return dir, env.CacheFallback, nil
}

// open gives who looks after the cache; done ends the drawing of progress.
func (f *cacheFlags) open(s *streams) (c pack.Caretaker, done func(), err error) {
	c = pack.Caretaker{Force: f.force, StaleSince: time.Now().Add(-staleScratch)}
	if c.Dir, c.Fallbacks, err = f.dir(s); err != nil {
		return c, nil, err
	}
	c.Reporter, done = s.reporter()
	return c, done, nil
}

func newCacheDir(s *streams) *cobra.Command {
	var f cacheFlags
	cmd := &cobra.Command{
		Use:   "dir",
		Short: "Print the cache directory",
		Args:  arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			dir, _, err := f.dir(s)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(s.out, dir)
			return err
		},
	}
	f.add(cmd)
	return cmd
}

func newCacheInfo(s *streams) *cobra.Command {
	var f cacheFlags
	cmd := &cobra.Command{
		Use:   "info",
		Short: "Show what is in the cache, and when it was used last",
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, done, err := f.open(s)
			if err != nil {
				return err
			}
			info, err := c.Info(cmd.Context())
			done()
			if err != nil {
				return err
			}
			if s.json {
				return s.writeJSON(info)
			}
			if err := writeUsage(s.out, "cache", info.CacheUsage); err != nil {
				return err
			}
			for _, lower := range info.Fallbacks {
				if err := writeUsage(s.out, "fallback cache", lower); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&s.json, "json", false, "print JSON")
	return cmd
}

// writeUsage writes a line for each kind, and one for all.
func writeUsage(w io.Writer, what string, u pack.CacheUsage) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", what, u.Dir)
	if !u.Exists {
		b.WriteString("  there is none\n")
	}
	versions := map[string]int{}
	for _, k := range u.Kinds {
		versions[k.Kind]++
	}
	row := func(name string, entries int, size int64, used string) {
		line := fmt.Sprintf("  %-20s %7d %10s  %s", name, entries, progress.Bytes(size), used)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	for _, k := range u.Kinds {
		name := k.Kind
		if versions[name] > 1 {
			name = fmt.Sprintf("%s (v%d)", name, k.Version)
		}
		row(name, k.Entries, k.Size, k.LastUsed.Local().Format("2006-01-02 15:04"))
	}
	if u.Exists {
		row("all", u.Entries, u.Size, "")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func newCacheVerify(s *streams) *cobra.Command {
	var f cacheFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove every entry of the cache, and discard what is damaged",
		Long: `Prove every entry of the cache: by its digest, its checksum, or by reading it. What is damaged is listed on
stdout and discarded; it is made again, or downloaded, when it is needed. Exit code 5 says that there was some.`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, done, err := f.open(s)
			if err != nil {
				return err
			}
			v, err := c.Verify(cmd.Context())
			done()
			if err != nil {
				return err
			}
			return reportVerification(s, v)
		},
	}
	f.add(cmd)
	f.addForce(cmd)
	cmd.Flags().BoolVar(&s.json, "json", false, "print JSON")
	return cmd
}

func reportVerification(s *streams, v *pack.Verification) error {
	if s.json {
		if err := s.writeJSON(v); err != nil {
			return err
		}
		s.json = false // one document is enough
	} else {
		for _, d := range v.Damaged {
			if _, err := fmt.Fprintf(s.out, "%s/%s: %s\n", d.Kind, d.Key, d.Reason); err != nil {
				return err
			}
		}
	}
	if !s.quiet {
		if n := len(v.Unchecked); n > 0 {
			fmt.Fprintf(s.err, "not checked: %s\n", count(n))
		}
		if s.verbose {
			for _, d := range v.Unchecked {
				fmt.Fprintf(s.err, "  %s/%s: %s\n", d.Kind, d.Key, d.Reason)
			}
		}
		fmt.Fprintf(s.err, "checked %s, %d damaged\n", count(v.Checked+len(v.Damaged)), len(v.Damaged))
	}
	switch n := len(v.Damaged); n {
	case 0:
		return nil
	case 1:
		return fault.New(fault.Integrity, "it was discarded, and is made again when it is needed", "an entry of the cache is damaged")
	default:
		return fault.New(fault.Integrity, "they were discarded, and are made again when they are needed", "%d entries of the cache are damaged", n)
	}
}

// count is a number of entries for people.
func count(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

func newCachePrune(s *streams) *cobra.Command {
	var f cacheFlags
	var olderThan, maxSize string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove what was not used for long, or the least recently used beyond a size",
		Long: `Remove entries of the cache that were last used before --older-than ago, and then the least recently used as
long as all take more of the disk than --max-size. With neither, entries of ` + pruneAge + ` go. What processes that were
killed left behind goes too.

Nothing goes that a running vpk uses: prune waits until none does. What is needed later is made again, or downloaded.`,
		Example: "  vpk cache prune --older-than 2w\n  vpk cache prune --max-size 10GB --dry-run",
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			rules, err := pruneRules(olderThan, maxSize)
			if err != nil {
				return err
			}
			rules.DryRun = dryRun
			c, done, err := f.open(s)
			if err != nil {
				return err
			}
			removed, err := c.Prune(cmd.Context(), rules)
			done()
			if !s.quiet && (err == nil || removed.Entries > 0) {
				would := ""
				if dryRun {
					would = "would have "
				}
				fmt.Fprintf(s.err, "%sremoved %s, %s; %s are left\n", would, count(removed.Entries), progress.Bytes(removed.Size), progress.Bytes(removed.Left))
			}
			return err
		},
	}
	f.add(cmd)
	f.addForce(cmd)
	flags := cmd.Flags()
	flags.StringVar(&olderThan, "older-than", "", "remove what was not used for this `AGE`: 30d; units are s, m, h, d and w")
	flags.StringVar(&maxSize, "max-size", "", "remove the least recently used until no more than this `SIZE` is left: 10GB, 512MiB")
	flags.BoolVar(&dryRun, "dry-run", false, "remove nothing, only say what would go")
	return cmd
}

// pruneRules reads what prune is to go by.
func pruneRules(olderThan, maxSize string) (cas.Rules, error) {
	rules := cas.Rules{MaxSize: -1}
	if olderThan == "" && maxSize == "" {
		olderThan = pruneAge
	}
	if olderThan != "" {
		age, err := config.ParseAge(olderThan)
		if err != nil {
			return rules, fault.Wrap(fault.Usage, "try --older-than 30d", fmt.Errorf("read --older-than: %w", err))
		}
		rules.Before = time.Now().Add(-age)
	}
	if maxSize != "" {
		var err error
		if rules.MaxSize, err = config.ParseSize(maxSize); err != nil {
			return rules, fault.Wrap(fault.Usage, "try --max-size 10GB", fmt.Errorf("read --max-size: %w", err))
		}
	}
	return rules, nil
}

func newCacheClean(s *streams) *cobra.Command {
	var f cacheFlags
	cmd := &cobra.Command{
		Use:   "clean [PACKAGE...]",
		Short: "Empty the cache, or remove the wheels of packages",
		Long: `Remove all entries of the cache, or the wheels of the named packages and what is known of them. Files in the
directory that are not vpk's stay, and a directory that is no cache of vpk is refused.`,
		Example: "  vpk cache clean\n  vpk cache clean numpy pandas",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, done, err := f.open(s)
			if err != nil {
				return err
			}
			removed, err := c.Clean(cmd.Context(), args)
			done()
			if !s.quiet && (err == nil || removed.Entries > 0) {
				fmt.Fprintf(s.err, "removed %s, %s\n", count(removed.Entries), progress.Bytes(removed.Size))
			}
			return err
		},
	}
	f.add(cmd)
	f.addForce(cmd)
	return cmd
}
