package layer

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"vpk/internal/fault"
	"vpk/internal/spelling"
)

// Form is a form of output on the disk.
type Form string

// The forms, as they are written before the colon.
const (
	FormLayout        Form = "oci"
	FormOCIArchive    Form = "oci-archive"
	FormDockerArchive Form = "docker-archive"
	FormDirectory     Form = "dir"
)

const outputForms = "an output is oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE or dir:DIR"

var outputNames = []string{string(FormLayout), string(FormOCIArchive), string(FormDockerArchive), string(FormDirectory)}

// Output is where -o asks to write. It is plain data.
type Output struct {
	Form Form
	Path string // as given
	Tag  string // of a layout, may be empty
}

// tagPattern is the grammar of tags (OCI distribution specification, "Pulling manifests").
var tagPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// ParseOutput reads FORM:PATH. What follows the last colon of a layout is its tag if it can be one. Errors are of kind Usage.
func ParseOutput(s string) (Output, error) {
	wrong := func(format string, args ...any) (Output, error) {
		return Output{}, fault.New(fault.Usage, outputForms, "output %q: "+format, append([]any{s}, args...)...)
	}
	form, path, ok := strings.Cut(s, ":")
	if !ok {
		return wrong("has no form before a colon")
	}
	o := Output{Form: Form(form), Path: path}
	switch o.Form {
	case FormLayout:
		if i := strings.LastIndexByte(path, ':'); i >= 0 && tagPattern.MatchString(path[i+1:]) {
			o.Path, o.Tag = path[:i], path[i+1:]
		}
	case FormOCIArchive, FormDockerArchive:
		if strings.ContainsRune(filepath.Base(path), ':') {
			return wrong("an archive's name has no colon; the image is named with -t")
		}
		if strings.HasSuffix(path, "/") {
			return wrong("names a directory, not a file")
		}
	case FormDirectory:
	default:
		hint := outputForms
		if near := spelling.Nearest(form, outputNames); near != "" {
			hint = fmt.Sprintf("did you mean %s:%s?", near, path)
		}
		return Output{}, fault.New(fault.Usage, hint, "output %q: %q is no form of output", s, form)
	}
	if o.Path == "" || strings.ContainsRune(o.Path, 0) {
		return wrong("has no path")
	}
	return o, nil
}

// String is the output as ParseOutput reads it.
func (o Output) String() string {
	s := string(o.Form) + ":" + o.Path
	if o.Tag != "" {
		s += ":" + o.Tag
	}
	return s
}

// Destination is what writes there. The files of a directory get mtime.
func (o Output) Destination(mtime time.Time) Destination {
	switch o.Form {
	case FormLayout:
		return Layout{Dir: o.Path, Tag: o.Tag}
	case FormOCIArchive:
		return OCIArchive{File: o.Path}
	case FormDockerArchive:
		return DockerArchive{File: o.Path}
	default:
		return Directory{Dir: o.Path, ModTime: mtime}
	}
}
