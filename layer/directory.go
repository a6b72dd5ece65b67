package layer

import (
	"context"
	"time"

	"vpk/internal/progress"
	"vpk/internal/trace"
	"vpk/venv/tree"
)

// Directory is a directory that gets the files that the image adds to its base, at their paths; owners are the user's. It
// must be new or empty.
type Directory struct {
	Dir     string
	ModTime time.Time // of every file; zero leaves the times as they come
}

// Deliver implements Destination.
func (d Directory) Deliver(ctx context.Context, a Artifact, report progress.Reporter) (Delivered, error) {
	task := report.Task("write dir:"+d.Dir, 0)
	defer task.Done()
	span := trace.Start(ctx, trace.Write, d.Dir)
	defer span.End()
	if err := tree.WriteDir(ctx, a.Tree, d.Dir, tree.WriteOptions{ModTime: d.ModTime}); err != nil {
		return Delivered{}, failed(ctx, "write files to", d.Dir, err)
	}
	return Delivered{Target: "dir:" + d.Dir}, nil
}
