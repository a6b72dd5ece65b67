package main

import (
	"github.com/spf13/cobra"

	"vpk/internal/pack"
	"vpk/internal/trace"
	"vpk/layer"
)

// buildFlags are the words of commands that build a project's image.
type buildFlags struct {
	selection   selectionFlags
	sources     sourceFlags
	image       imageFlags
	compression string
	trace       traceFlags
}

func (f *buildFlags) add(cmd *cobra.Command, s *streams) {
	f.selection.add(cmd)
	f.sources.add(cmd)
	f.image.add(cmd)
	cmd.Flags().StringVar(&f.compression, "compression", "", "`COMPRESSION` of the layers: gzip, zstd[:LEVEL] or none (default gzip)")
	f.trace.add(cmd, s)
}

// open reads the project in a directory and says how to build it. The session must be closed.
func (f *buildFlags) open(cmd *cobra.Command, s *streams, dir string) (*session, pack.Options, error) {
	var o pack.Options
	if _, err := layer.ParseCompression(f.compression); err != nil {
		return nil, o, err
	}
	env, err := f.sources.environment(s)
	if err != nil {
		return nil, o, err
	}
	if o.Project, o.Selection, err = f.selection.project(cmd, dir, env); err != nil {
		return nil, o, err
	}
	span := trace.Start(cmd.Context(), trace.OpenCache, "")
	session, err := s.open(cmd.Context(), env, o.Project)
	span.End()
	if err != nil {
		return nil, o, err
	}
	o.Deliveries.TraceFile = f.trace.file
	file := o.Project.Config
	err = f.image.merge(&o, session.env, file)
	if err == nil {
		o.Compression, err = layer.ParseCompression(first(f.compression, file.Compression))
	}
	if err != nil {
		session.close()
		return nil, o, err
	}
	return session, o, nil
}
