package base

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"vpk/internal/trace"
)

// elfMemory bounds the programs and libraries that are in memory at one time, while their headers are read.
const elfMemory = 2 * MaxELF

// squash reads layers, lowest first and several at a time, and makes the index of the image.
func squash(ctx context.Context, layers []layerSource, jobs int) (*Files, error) {
	if len(layers) > MaxLayers {
		return nil, broken("image has %d layers, more than %d", len(layers), MaxLayers)
	}
	s := scanner{budget: newBudget(), memory: semaphore.NewWeighted(elfMemory)}
	items := make([][]item, len(layers))
	err := eachLayer(ctx, layers, jobs, func(ctx context.Context, i int) (err error) {
		items[i], err = s.scan(ctx, i, layers[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	span := trace.Start(ctx, trace.IndexBase, "all layers")
	defer span.End()
	tree := newSquasher()
	for i := range layers {
		if err := tree.apply(i, items[i]); err != nil {
			return nil, broken("layer %d (%s): %w", i+1, layers[i].diffID, err)
		}
		items[i] = nil
	}
	files, err := tree.files()
	if err != nil {
		return nil, broken("%w", err)
	}
	return files, nil
}

// eachLayer works on layers, several at a time, and stops at the first error. Of several it reports the lowest layer's.
func eachLayer(ctx context.Context, layers []layerSource, jobs int, do func(ctx context.Context, i int) error) error {
	errs := make([]error, len(layers))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, jobs))
	for i := range layers {
		group.Go(func() error {
			if errs[i] = do(groupCtx, i); errs[i] != nil {
				errs[i] = fmt.Errorf("layer %d (%s): %w", i+1, layers[i].diffID, errs[i])
			}
			return errs[i]
		})
	}
	if group.Wait() == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, err := range errs {
		// The others stopped because one failed.
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errors.Join(errs...)
}

// scanner turns layers into items, with the digests of files and the headers of programs.
type scanner struct {
	budget *budget
	memory *semaphore.Weighted
}

func (s scanner) scan(ctx context.Context, layer int, source layerSource) ([]item, error) {
	var items []item
	err := source.read(ctx, trace.IndexBase, s.budget, func(ordinal int, header *tar.Header, content io.Reader) error {
		it, ok, err := newItem(header, place{layer, ordinal})
		if err != nil {
			return broken("%w", err)
		}
		if !ok {
			return nil
		}
		if it.inode != nil && it.inode.Mode.IsRegular() {
			if err := s.readFile(ctx, it, content); err != nil {
				return err
			}
		}
		items = append(items, it)
		return nil
	})
	return items, err
}

// readFile fills in what the content of a regular file says.
func (s scanner) readFile(ctx context.Context, it item, content io.Reader) error {
	e := &it.inode.Entry
	sum := sha256.New()
	content = io.TeeReader(content, sum)
	magic := make([]byte, len(elf.ELFMAG))
	n, err := io.ReadFull(content, magic)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return broken("%w", err)
	}
	if string(magic[:n]) == elf.ELFMAG && e.Size <= MaxELF {
		if err := s.memory.Acquire(ctx, e.Size); err != nil {
			return err
		}
		defer s.memory.Release(e.Size)
		data := bytes.NewBuffer(magic)
		if _, err := data.ReadFrom(content); err != nil {
			return broken("%w", err)
		}
		name := strings.TrimPrefix(path.Base(it.path), "lib")
		e.ELF, _ = readELF(data.Bytes(), strings.HasPrefix(name, "python"))
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return broken("%w", err)
	}
	sum.Sum(e.Digest[:0])
	return nil
}
