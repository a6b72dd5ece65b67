package base

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Names that mean something in a layer (OCI image specification, layer.md; aufs).
const (
	whiteoutPrefix = ".wh."
	whiteoutMeta   = ".wh..wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// item is one entry of a layer's archive, as the squashing needs it.
type item struct {
	path     string // clean; "." is the root
	kind     itemKind
	linkname string // of a hard link: the clean path of its target
	inode    *inode // of anything else
}

type itemKind uint8

const (
	itemNode     itemKind = iota // a directory, file, symbolic link or device
	itemHardLink                 // another name for an inode
	itemWhiteout                 // path is what is hidden
	itemOpaque                   // path is the directory whose content is hidden
)

// inode is what a path leads to; hard links share one.
type inode struct{ Entry }

// node is a name in the squashed tree.
type node struct {
	inode    *inode
	layer    int              // the layer that last made this name
	children map[string]*node // of a directory
	hidden   int              // the number of layers up to the one that last hid what is below; what it makes itself stays
}

func (n *node) isDir() bool { return n.inode.Mode.IsDir() }

// squasher applies layers, lowest first. The zero layer's number is 0; numbers grow.
type squasher struct{ root *node }

func newSquasher() *squasher { return &squasher{root: implicitDir(0)} }

// implicitDir is a directory that no archive mentions.
func implicitDir(layer int) *node {
	return &node{
		inode:    &inode{Entry{Mode: fs.ModeDir | 0o755, ModTime: time.Unix(0, 0).UTC()}},
		layer:    layer,
		children: map[string]*node{},
	}
}

// apply adds a layer's items in their order.
func (s *squasher) apply(layer int, items []item) error {
	for _, it := range items {
		if err := s.applyItem(layer, it); err != nil {
			return fmt.Errorf("apply %q: %w", it.path, err)
		}
	}
	return nil
}

func (s *squasher) applyItem(layer int, it item) error {
	switch it.kind {
	case itemWhiteout:
		dir, err := s.dir(parent(it.path), layer, false)
		if err != nil || dir == nil {
			return ignoreNowhere(err)
		}
		name := path.Base(it.path)
		if n := dir.children[name]; n != nil && hide(n, layer) {
			delete(dir.children, name)
		}
		return nil
	case itemOpaque:
		dir, err := s.dir(it.path, layer, false)
		if err != nil || dir == nil {
			return ignoreNowhere(err)
		}
		hideChildren(dir, layer)
		return nil
	}
	ino := it.inode
	if it.kind == itemHardLink {
		target, err := s.lookup(it.linkname)
		switch {
		case err != nil:
			return err
		case target == nil:
			return fmt.Errorf("hard link to %q, which does not exist", it.linkname)
		case target.isDir():
			return fmt.Errorf("hard link to %q, which is a directory", it.linkname)
		}
		ino = target.inode
	}
	if it.path == "." {
		if !ino.Mode.IsDir() {
			return errors.New("the root must be a directory")
		}
		s.root.inode, s.root.layer = ino, layer
		return nil
	}
	dir, err := s.dir(parent(it.path), layer, true)
	if err != nil {
		return err
	}
	name := path.Base(it.path)
	n := &node{inode: ino, layer: layer}
	if n.isDir() {
		n.children = map[string]*node{}
		if old := dir.children[name]; old != nil && old.isDir() {
			n.children, n.hidden = old.children, old.hidden
		}
	}
	dir.children[name] = n
	return nil
}

// errNotDir is a path that leads through something that is not a directory.
var errNotDir = errors.New("not a directory")

// ignoreNowhere makes nothing of a path that leads nowhere.
func ignoreNowhere(err error) error {
	if errors.Is(err, errNotDir) || errors.Is(err, ErrLoop) {
		return nil
	}
	return err
}

// hide removes what layers below this one made in n, and says whether n goes too: a directory stays where this layer has
// put something into it.
func hide(n *node, layer int) bool {
	hideChildren(n, layer)
	return n.layer != layer && len(n.children) == 0
}

func hideChildren(n *node, layer int) {
	if n.hidden == layer+1 {
		return // nothing of lower layers can have come since; a layer may say it in every other entry
	}
	n.hidden = layer + 1
	maps.DeleteFunc(n.children, func(_ string, child *node) bool { return hide(child, layer) })
}

// lookup finds a path without following its last component; nil when there is nothing.
func (s *squasher) lookup(p string) (*node, error) {
	if p == "." {
		return s.root, nil
	}
	dir, err := s.dir(parent(p), 0, false)
	if err != nil || dir == nil {
		return nil, ignoreNowhere(err)
	}
	return dir.children[path.Base(p)], nil
}

// dir finds a directory, through links. With create, what is missing on the way is made; without, the result may be nil.
func (s *squasher) dir(p string, layer int, create bool) (*node, error) {
	walked := []*node{s.root} // the way back, for ".." in links
	todo, links := p, 0
	for todo != "" && todo != "." {
		var name string
		name, todo, _ = strings.Cut(todo, "/")
		at := walked[len(walked)-1]
		switch name {
		case "", ".":
			continue
		case "..":
			walked = walked[:max(1, len(walked)-1)]
			continue
		}
		next := at.children[name]
		switch {
		case next == nil && !create:
			return nil, nil
		case next == nil:
			if len(name) > MaxName {
				return nil, fmt.Errorf("name longer than %d bytes", MaxName)
			}
			next = implicitDir(layer)
			at.children[name] = next
		case next.inode.Mode&fs.ModeSymlink != 0:
			if links++; links > maxLinks {
				return nil, ErrLoop
			}
			if path.IsAbs(next.inode.Link) {
				walked = walked[:1]
			}
			if todo = next.inode.Link + "/" + todo; len(todo) > MaxPath {
				return nil, fmt.Errorf("path grows beyond %d bytes", MaxPath)
			}
			continue
		case !next.isDir():
			return nil, fmt.Errorf("%w: %q", errNotDir, name)
		}
		if walked = append(walked, next); len(walked) > MaxPath/2 {
			return nil, fmt.Errorf("path is deeper than %d directories", MaxPath/2)
		}
	}
	return walked[len(walked)-1], nil
}

// files is the index of what is there now.
func (s *squasher) files() (*Files, error) {
	var entries []Entry
	size := 0
	var walk func(p string, n *node) error
	walk = func(p string, n *node) error {
		// Links can make a path longer than any that a layer spells out.
		if size += len(p); len(p) > MaxPath || size > maxPaths {
			return fmt.Errorf("the paths of the image are too long, such as %.80q", p)
		}
		e := n.inode.Entry
		e.Path = p
		entries = append(entries, e)
		for name, child := range n.children {
			if err := walk(path.Join(p, name), child); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(".", s.root); err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	nameHardLinks(entries)
	return &Files{entries: entries}, nil
}

// nameHardLinks gives all but the first path of an inode the first one's name. Inodes are told apart by their place in the
// layers, which only regular files have; hard links of anything else are as good as copies.
func nameHardLinks(entries []Entry) {
	first := make(map[place]string, len(entries))
	for i, e := range entries {
		if !e.Mode.IsRegular() {
			continue
		}
		if p, ok := first[e.place]; ok {
			entries[i].HardLink = p
		} else {
			first[e.place] = e.Path
		}
	}
}
