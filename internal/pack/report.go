package pack

import (
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"vpk/internal/trace"
	"vpk/layer"
)

// Result is the report of a pack.
type Result struct {
	// Reference is the digest reference of the image or index: NAME@sha256:… with the first tag's name, else sha256:….
	Reference string   `json:"reference"`
	Digest    string   `json:"digest"`
	Tags      []string `json:"tags,omitempty"`
	// ImageReport is about the image of one platform, nil where there are several; Images are those of several.
	*ImageReport
	Images     []*ImageReport `json:"images,omitempty"`
	Deliveries []string       `json:"deliveries"`
	Steps      []StepReport   `json:"steps"`
	Seconds    float64        `json:"seconds"`
	// Timings are the steps of the whole run so far, where the context records them.
	Timings []trace.Timing `json:"timings,omitempty"`
}

// ImageReport is about the image of one platform.
type ImageReport struct {
	Digest     string      `json:"digest"`
	Platform   string      `json:"platform"`
	Base       BaseReport  `json:"base"`
	Packages   []Package   `json:"packages"`
	Layers     []Layer     `json:"layers"`
	Bytecode   Bytecode    `json:"bytecode"`
	Collisions []Collision `json:"collisions,omitempty"`
}

// BaseReport says which base an image stands on.
type BaseReport struct {
	Name        string `json:"name"`
	Digest      string `json:"digest"`
	Interpreter string `json:"interpreter"`
	Python      string `json:"python"`
	Glibc       string `json:"glibc"`
}

// Package is one package of a plan or a report.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Source  string `json:"source"`
	File    string `json:"file"`
	// URL or, of a wheel of this machine, Path relative to the lock's directory or absolute. A project that is installed in
	// place has no file, and the path of its directory.
	URL  string `json:"url,omitempty"`
	Path string `json:"path,omitempty"`
	// Size in bytes, 0 where the lock does not say and the wheel is not here yet.
	Size   int64    `json:"size"`
	Hashes []string `json:"hashes"`
	// Unlocked says that the hash is not the lock's but the file's, as it was found; only a pack knows.
	Unlocked bool `json:"unlocked,omitempty"`
	// Cached says that nothing was, or would be, downloaded for it.
	Cached bool `json:"cached,omitempty"`
	// InstalledSize is the sum of its files in bytes, 0 where the wheel is not in the cache; only a plan and a tree know.
	InstalledSize int64 `json:"installed_size,omitempty"`
}

// Layer is one layer that vpk adds.
type Layer struct {
	Name    string `json:"name"`
	Digest  string `json:"digest"`
	DiffID  string `json:"diff_id"`
	Size    int64  `json:"size"`
	TarSize int64  `json:"tar_size"`
	Cached  bool   `json:"cached"`
}

// Bytecode says what became of the modules.
type Bytecode struct {
	Sandbox     string         `json:"sandbox,omitempty"` // empty when nothing had to be compiled
	Interpreter string         `json:"interpreter,omitempty"`
	Optimize    int            `json:"optimize"`
	Sourceless  bool           `json:"sourceless,omitempty"` // modules of wheels are without their source
	Modules     int            `json:"modules"`
	Excluded    int            `json:"excluded,omitempty"` // modules that include and exclude leave out
	Failures    []ModuleReport `json:"failures,omitempty"`
	Stdlib      *StdlibReport  `json:"stdlib,omitempty"` // nil where the base's has bytecode already, or is to have none
}

// StdlibReport says what became of the modules of the base's standard library that had no bytecode.
type StdlibReport struct {
	Modules  int  `json:"modules"`
	Failures int  `json:"failures"` // that do not compile, as some are meant not to
	Cached   bool `json:"cached"`   // nothing was compiled
}

// ModuleReport is a module without bytecode.
type ModuleReport struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Collision is a path that two wheels claim with different content.
type Collision struct {
	Path  string `json:"path"`
	Owner string `json:"owner"`
	Loser string `json:"loser"`
}

// result reports what was made, and what the deliveries said.
func result(images []*image, digest v1.Hash, names []name.Tag, said []string, clock *clock) *Result {
	r := &Result{
		Reference: digest.String(), Digest: digest.String(), Deliveries: said, Steps: clock.steps, Seconds: clock.total(),
	}
	if len(images) == 1 {
		r.ImageReport = images[0].report()
	} else {
		for _, i := range images {
			r.Images = append(r.Images, i.report())
		}
	}
	for n, tag := range names {
		if n == 0 {
			r.Reference = tag.Context().String() + "@" + r.Digest
		}
		r.Tags = append(r.Tags, tag.String())
	}
	return r
}

func (i *image) report() *ImageReport {
	facts := i.base.Facts
	r := &ImageReport{
		Digest:   i.digest.String(),
		Platform: i.base.Platform.String(),
		Base: BaseReport{
			Name:        i.base.Ref.String(),
			Digest:      i.base.Digest.String(),
			Interpreter: facts.Interpreter,
			Python:      facts.Target.Python.String(),
			Glibc:       facts.Target.Glibc.String(),
		},
		Packages: reports(i.packages, i.locals),
		Bytecode: i.bytecode,
	}
	for _, c := range i.collisions {
		r.Collisions = append(r.Collisions, Collision(c))
	}
	for _, l := range i.layers {
		r.Layers = append(r.Layers, layerReport(l))
	}
	return r
}

func layerReport(l *layer.Layer) Layer {
	// The three are fields of a layer that is built: v1.Layer's errors are for others.
	digest, _ := l.Digest()
	diffID, _ := l.DiffID()
	size, _ := l.Size()
	tarSize, _ := l.UncompressedSize()
	return Layer{Name: l.Name(), Digest: digest.String(), DiffID: diffID.String(), Size: size, TarSize: tarSize, Cached: l.Cached()}
}

// StepReport is how long one step took.
type StepReport struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// clock measures steps. It is the one reader of the machine's clock here, and what it reads enters reports alone.
type clock struct {
	start, last time.Time
	steps       []StepReport
}

func newClock() *clock {
	now := time.Now()
	return &clock{start: now, last: now}
}

// step ends the step that is named.
func (c *clock) step(name string) {
	now := time.Now()
	c.steps = append(c.steps, StepReport{name, now.Sub(c.last).Seconds()})
	c.last = now
}

func (c *clock) total() float64 { return c.last.Sub(c.start).Seconds() }
