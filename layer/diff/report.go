package diff

import "encoding/json"

// Report is everything that is different between two images, A and B.
type Report struct {
	Equal    bool     `json:"equal"`
	A        Image    `json:"a"`
	B        Image    `json:"b"`
	Manifest []Field  `json:"manifest"`
	Config   []Field  `json:"config"`
	Layers   []Layer  `json:"layers"`
	Files    []Change `json:"files"`
}

// Image names one of the two.
type Image struct {
	Name     string `json:"name"` // as the caller calls it
	Digest   string `json:"digest"`
	Platform string `json:"platform"`
	Layers   int    `json:"layers"`
}

// Field is a value of a JSON document that differs. A side that lacks it is nil. An element's index is A's where A has it.
type Field struct {
	Path string          `json:"path"` // config.Env[PATH], history[3].created, annotations["a.b"]
	A    json.RawMessage `json:"a,omitempty"`
	B    json.RawMessage `json:"b,omitempty"`
}

// Kind says how something differs.
type Kind string

// The kinds of differences.
const (
	Added   Kind = "added"   // only B has it
	Removed Kind = "removed" // only A has it
	Changed Kind = "changed"
)

// Layer is a layer that differs.
type Layer struct {
	Kind Kind       `json:"kind"`
	A    *LayerSide `json:"a,omitempty"`
	B    *LayerSide `json:"b,omitempty"`
	// Fields of the descriptor that differ, digest and size left out.
	Fields []Field `json:"fields"`
	// Entries of the archive that differ.
	Entries []Change `json:"entries"`
	// Order is the first place at which entries that both have come in another order.
	Order *Order `json:"order,omitempty"`
	// Bytes is where the bytes part, when nothing above says how.
	Bytes *Bytes `json:"bytes,omitempty"`
}

// LayerSide is one of two layers that are compared.
type LayerSide struct {
	Number    int    `json:"number"` // from 1, the lowest
	Digest    string `json:"digest"`
	DiffID    string `json:"diff_id"`
	Size      int64  `json:"size"` // of the blob
	CreatedBy string `json:"created_by,omitempty"`
}

// Order is a place in two archives: what A has there, and what B has.
type Order struct {
	A string `json:"a"`
	B string `json:"b"`
}

// Bytes is a place in two streams.
type Bytes struct {
	Of     string `json:"of"` // "archive", the tar, or "blob", the compressed one
	Offset int64  `json:"offset"`
}

// Change is a path that differs, in an archive or in the image's file system.
type Change struct {
	Kind Kind   `json:"kind"`
	Path string `json:"path"`
	// Attributes that differ; of an added or removed path all that it has.
	Attributes []Attribute `json:"attributes"`
	// Content says where two regular files part. Only entries of archives have it.
	Content *Content `json:"content,omitempty"`
}

// Attribute is one attribute of a path, in words. A side that lacks it is empty.
type Attribute struct {
	// Name is kind, mode, owner, mtime, size, content, target; in archives also name (as the archive spells the path), names (of
	// user and group), atime, ctime, device, format, pax:KEY; in file systems also file: the first path of the same file.
	Name string `json:"name"`
	A    string `json:"a,omitempty"`
	B    string `json:"b,omitempty"`
}

// Content is the first difference of two files.
type Content struct {
	Offset int64  `json:"offset"`
	Form   string `json:"form"`            // "text", "bytecode", "program" (ELF) or "data"
	Where  string `json:"where,omitempty"` // of bytecode: "magic number", "flags", "source hash", "source time and size" or "code"
	Line   int    `json:"line,omitempty"`  // of text, from 1
	A      string `json:"a"`               // the line, or bytes in hexadecimal; cut to some length
	B      string `json:"b"`
}
