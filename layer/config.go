package layer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/fault"
)

// Annotation keys of the image specification (annotations.md, "Pre-Defined Annotation Keys").
const (
	annotationBaseName   = "org.opencontainers.image.base.name"
	annotationBaseDigest = "org.opencontainers.image.base.digest"
)

// Config is what an image says on top of its base's config. All values are ready: paths resolved, PATH complete.
type Config struct {
	// User and WorkingDir replace the base's; empty keeps them.
	User, WorkingDir string
	// Env holds "NAME=value", each name once. A name that the base has is replaced in its place; others follow in this order.
	Env []string
	// ExposedPorts, such as "8000/tcp", are added to the base's.
	ExposedPorts []string
	// Entrypoint and Cmd replace the base's, both always: an empty one clears the base's (a base's entry point in front of our
	// command is not the command).
	Entrypoint, Cmd []string
	// Labels are added to the base's, and win.
	Labels map[string]string
	// Annotations of the manifest. The base's are not inherited: they describe the base.
	Annotations map[string]string
	// Created is the time of the image and of the history entries of its layers, in whole seconds.
	Created time.Time
}

// BaseInfo says where a base image comes from.
type BaseInfo struct {
	// Name is the reference of a registry as the user wrote it. Empty for a base that has none (a layout, an archive).
	Name string
	// Digest of the base's manifest.
	Digest v1.Hash
}

// marks are the labels and annotations that name the base.
func (b BaseInfo) marks() map[string]string {
	m := map[string]string{}
	if b.Name != "" {
		m[annotationBaseName] = b.Name
	}
	if b.Digest != (v1.Hash{}) {
		m[annotationBaseDigest] = b.Digest.String()
	}
	return m
}

// check finds values that no image can have.
func (c Config) check() error {
	var problems []error
	seen := map[string]bool{}
	for _, kv := range c.Env {
		name, _, ok := strings.Cut(kv, "=")
		switch {
		case !ok || name == "" || strings.ContainsRune(kv, 0):
			problems = append(problems, fmt.Errorf("environment entry %q is not NAME=value", kv))
		case seen[name]:
			problems = append(problems, fmt.Errorf("environment variable %q is given twice", name))
		}
		seen[name] = true
	}
	if err := errors.Join(problems...); err != nil {
		return fault.Wrap(fault.Usage, "", err)
	}
	return nil
}

// file is the image's config: the base's, c on top of it, and the layers' history and DiffIDs.
func (c Config) file(base *v1.ConfigFile, info BaseInfo, layers []*Layer) *v1.ConfigFile {
	created := v1.Time{Time: c.Created.UTC().Truncate(time.Second)}
	f := base.DeepCopy()
	f.Created = created
	f.RootFS.Type = "layers"
	f.History = baseHistory(base)
	for _, l := range layers {
		f.RootFS.DiffIDs = append(f.RootFS.DiffIDs, l.sums.DiffID)
		f.History = append(f.History, v1.History{Created: created, CreatedBy: l.CreatedBy()})
	}

	// What Docker noted of how the base was made says nothing of this image; its build triggers have no meaning here.
	f.Container, f.DockerVersion = "", ""
	f.Config.Image, f.Config.Hostname, f.Config.Domainname, f.Config.OnBuild = "", "", "", nil

	if c.User != "" {
		f.Config.User = c.User
	}
	if c.WorkingDir != "" {
		f.Config.WorkingDir = c.WorkingDir
	}
	f.Config.Env = overlayEnv(base.Config.Env, c.Env)
	f.Config.Entrypoint, f.Config.Cmd = slices.Clone(c.Entrypoint), slices.Clone(c.Cmd)
	if f.Config.ExposedPorts == nil && len(c.ExposedPorts) > 0 {
		f.Config.ExposedPorts = map[string]struct{}{}
	}
	for _, p := range c.ExposedPorts {
		f.Config.ExposedPorts[p] = struct{}{}
	}
	labels := map[string]string{}
	maps.Copy(labels, base.Config.Labels)
	delete(labels, annotationBaseName) // those of the base name the base's own base
	delete(labels, annotationBaseDigest)
	maps.Copy(labels, info.marks())
	maps.Copy(labels, c.Labels)
	f.Config.Labels = labels
	return f
}

// annotations are those of the manifest.
func (c Config) annotations(info BaseInfo) map[string]string {
	m := info.marks()
	maps.Copy(m, c.Annotations)
	return m
}

// baseHistory is the base's history, in which each layer must have its entry: one that does not fit the layers explains
// none of them, and is replaced by plain entries, one a layer.
func baseHistory(base *v1.ConfigFile) []v1.History {
	layers := 0
	for _, h := range base.History {
		if !h.EmptyLayer {
			layers++
		}
	}
	if layers == len(base.RootFS.DiffIDs) {
		return slices.Clone(base.History)
	}
	plain := make([]v1.History, len(base.RootFS.DiffIDs))
	for i := range plain {
		plain[i] = v1.History{Created: base.Created, Comment: "layer of the base image"}
	}
	return plain
}

// overlayEnv is base with the variables of over: in place where base has the name (once), else appended.
func overlayEnv(base, over []string) []string {
	values := make(map[string]string, len(over))
	for _, kv := range over {
		name, _, _ := strings.Cut(kv, "=")
		values[name] = kv
	}
	var env []string
	placed := map[string]bool{}
	add := func(kv string) {
		name, _, _ := strings.Cut(kv, "=")
		if replacement, ok := values[name]; ok {
			if placed[name] {
				return
			}
			kv = replacement
			placed[name] = true
		}
		env = append(env, kv)
	}
	for _, kv := range slices.Concat(base, over) {
		add(kv)
	}
	return env
}
