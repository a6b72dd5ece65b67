package pack

import (
	"context"
	"path/filepath"
	"strings"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/trace"
	"vpk/lockfile"
)

// check compares the lock with the workspace that it is for, unless the user asked not to. The note says what cannot be
// decided offline; it is empty where everything can.
func (p *Project) check(s Selection) (note string, err error) {
	if s.Frozen {
		return "", p.isLocked()
	}
	dir, err := filepath.Abs(p.Dir)
	if err != nil {
		return "", fault.New(fault.Usage, "", "read project: %w", err)
	}
	notes, err := lockfile.Check(p.Lock, lockfile.Freshness{
		Project:      p.Manifest,
		Disk:         osDisk(dir),
		DefaultIndex: config.DefaultIndex,
		Settings:     p.Settings,
	})
	if other := p.otherUV(); other != "" {
		notes = append(notes, other)
	}
	return strings.Join(notes, "; "), err
}

// isLocked wants the lock to be of this project, which uv checks even where it compares nothing else.
func (p *Project) isLocked() error {
	if name := p.Manifest.Name; name != "" && len(p.Lock.Named(name)) == 0 {
		return fault.New(fault.Lock, "run `uv lock`", "%s has no package %q, the project of %s", p.Lock.Filename, name, p.Manifest.Filename)
	}
	return nil
}

// check is Project.check, the note told to whoever watches.
func (s *Sources) check(ctx context.Context, p *Project, selection Selection) error {
	span := trace.Start(ctx, trace.CheckLock, filepath.Base(p.Lock.Filename))
	note, err := p.check(selection)
	span.End()
	if note != "" {
		s.reporter.Note("%s", note)
	}
	for _, w := range p.absentWarnings(selection) {
		s.reporter.Note("%s; %s", w.Message, w.Hint)
	}
	return err
}
