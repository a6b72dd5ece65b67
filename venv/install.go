package venv

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"vpk/internal/cas"
	"vpk/internal/fault"
	"vpk/lockfile/pep508"
	"vpk/venv/tree"
	"vpk/wheel"
)

// Package is one package to install.
type Package struct {
	// Name and Version are the package's as it was selected; the wheel's own are proven to agree with its file name.
	Name, Version string
	Wheel         *wheel.Wheel
	// DirectURL is the wheel's URL if it was asked for by URL, empty if it came from an index (PEP 610).
	DirectURL string
}

// Installed is one package's share of an environment.
type Installed struct {
	// Name is normalised.
	Name, Version string
	// Part is named "wheel/NAME-VERSION". Its entries are the wheel's files where they belong, and those generated.
	Part tree.Part
	// Bytecode is what Modules compiles to: entries DIR/__pycache__/X.*.pyc for DIR/X.py. Install leaves it empty.
	Bytecode tree.Part
	// Sourceless has Join put Bytecode in the place of the modules that it was made from. Install leaves it false.
	Sourceless bool
	// Rank orders packages for Join: a higher one owns what a lower one claims too. Install leaves it 0.
	Rank int

	site   string // site-packages, in the tree
	record string // RECORD, in the tree
	rows   []row  // of RECORD
}

// Modules is what of Part is compiled: site-packages, as with uv. A program in bin has no use for bytecode.
func (i Installed) Modules() tree.Part {
	p := i.Part
	p.Entries = nil
	for _, e := range i.Part.Entries {
		if strings.HasPrefix(e.Path, i.site+"/") {
			p.Entries = append(p.Entries, e)
		}
	}
	if p.Key != "" {
		p.Key = cas.Key("modules", p.Key, i.site)
	}
	return p
}

// String names the package for people.
func (i Installed) String() string { return i.Name + " " + i.Version }

// Install plans one wheel. What is wrong with the wheel is one error of kind fault.Package that names it.
func Install(s Spec, p Package) (Installed, error) {
	if err := s.Check(); err != nil {
		return Installed{}, err
	}
	in := &installation{spec: s, site: s.sitePackages(), wheel: p.Wheel, name: pep508.NormalizeName(p.Name), files: map[string]placed{}}
	if err := in.plan(p.DirectURL); err != nil {
		return Installed{}, err
	}
	in.checkDirectories()
	if len(in.problems) > 0 {
		slices.Sort(in.problems)
		return Installed{}, fault.New(fault.Package, "the wheel itself is at fault: choose another version, and tell its maintainers",
			"install %s: %s", p.Wheel.Filename, strings.Join(slices.Compact(in.problems), "; "))
	}
	return in.installed(p), nil
}

// installation is a wheel on its way to a part. All paths but those of members are relative to the prefix.
type installation struct {
	spec     Spec
	site     string // site-packages
	wheel    *wheel.Wheel
	name     string // normalised
	distInfo string // "foo-1.0.dist-info"
	rows     map[string]row
	scripts  []script
	files    map[string]placed
	problems []string
}

// placed is a file at its path. A later one at the same path replaces it.
type placed struct {
	mode     fs.FileMode
	content  tree.Content
	hash     string // of its row in RECORD
	size     int64  // of its row in RECORD
	unlisted bool   // it has no row
}

func (in *installation) problem(format string, args ...any) {
	in.problems = append(in.problems, fmt.Sprintf(format, args...))
}

// plan takes the steps of uv's install_wheel in its order (install.rs:29). It returns early where nothing sensible can
// follow.
func (in *installation) plan(directURL string) error {
	if got := in.wheel.Filename.NormalizedName(); got != in.name {
		in.problem("it is a wheel of %q, not of %q", got, in.name)
		return nil
	}
	if !in.findDistInfo() {
		return nil
	}
	if err := in.readMetadata(); err != nil || len(in.problems) > 0 {
		return err
	}
	data := in.dataDirectory()
	for _, m := range in.wheel.Members() {
		if !strings.HasPrefix(m.Name(), data) {
			in.place(in.site+"/"+m.Name(), in.member(m))
		}
	}
	shebang := in.spec.shebang()
	for _, s := range in.scripts {
		in.generate("bin/"+s.name, 0o755, s.launcher(shebang))
	}
	for _, m := range in.wheel.Members() {
		if rest, ok := strings.CutPrefix(m.Name(), data); ok {
			if err := in.placeData(m, rest); err != nil {
				return err
			}
		}
	}
	info := path.Join(in.site, in.distInfo) + "/"
	in.generate(info+"REQUESTED", 0o644, nil)
	if directURL != "" {
		origin, err := formatDirectURL(directURL)
		if err != nil {
			return err
		}
		in.generate(info+"direct_url.json", 0o644, origin)
	}
	in.generate(info+"INSTALLER", 0o644, []byte("vpk"))
	return nil
}

// findDistInfo finds the one directory at the top that ends in .dist-info. Its name need not be the wheel's.
func (in *installation) findDistInfo() bool {
	var found []string
	for _, m := range in.wheel.Members() {
		if dir, _, ok := strings.Cut(m.Name(), "/"); ok && strings.HasSuffix(dir, ".dist-info") && !slices.Contains(found, dir) {
			found = append(found, dir)
		}
	}
	if len(found) != 1 {
		in.problem("it must have one .dist-info directory, it has %q", found)
		return false
	}
	in.distInfo = found[0]
	return true
}

// dataDirectory is the prefix of the members that are spread over the environment: "foo-1.0.data/".
func (in *installation) dataDirectory() string {
	return strings.TrimSuffix(in.distInfo, ".dist-info") + ".data/"
}

// readMetadata reads the files of the dist-info directory that decide something. An error is one of reading.
func (in *installation) readMetadata() error {
	files := map[string][]byte{}
	for _, name := range []string{"METADATA", "WHEEL", "RECORD", "entry_points.txt"} {
		member := in.distInfo + "/" + name
		if _, ok := in.wheel.Member(member); !ok {
			if name != "entry_points.txt" {
				in.problem("there is no %s", member)
			}
			continue
		}
		data, err := in.wheel.ReadFile(member, maxText)
		if err != nil {
			return fmt.Errorf("install %s: %w", in.wheel.Filename, err)
		}
		files[name] = data
	}
	if len(in.problems) > 0 {
		return nil
	}
	bad := func(name string, err error) {
		if err != nil {
			in.problem("%s/%s: %v", in.distInfo, name, err)
		}
	}
	bad("METADATA", checkMetadata(files["METADATA"], in.wheel.Filename.Name, in.wheel.Filename.Version))
	bad("WHEEL", checkWheelVersion(files["WHEEL"]))
	rows, err := parseRecord(files["RECORD"])
	bad("RECORD", err)
	in.rows = make(map[string]row, len(rows))
	for _, r := range rows {
		if _, ok := in.rows[r.path]; !ok {
			in.rows[r.path] = r
		}
	}
	in.scripts, err = parseScripts(files["entry_points.txt"], in.spec.Python.Minor)
	bad("entry_points.txt", err)
	return nil
}

// member is a file of the wheel with its row. RECORD is healed: hashes are taken as they are written, a file without a row
// gets one without a hash, but for the deprecated signatures (uv: wheel.rs:835).
func (in *installation) member(m wheel.Member) placed {
	p := placed{mode: tree.FileMode(m.Executable()), content: m, size: -1}
	if m.Name() == in.distInfo+"/RECORD" {
		return p // whatever it says of itself is of another RECORD
	}
	if r, ok := in.rows[m.Name()]; ok {
		p.hash, p.size = r.hash, r.size
		return p
	}
	p.size = m.Size()
	p.unlisted = m.Name() == in.distInfo+"/RECORD.jws" || m.Name() == in.distInfo+"/RECORD.p7s"
	return p
}

// generate places a file of our own making.
func (in *installation) generate(name string, mode fs.FileMode, data []byte) {
	in.place(name, generated(mode, data))
}

func generated(mode fs.FileMode, data []byte) placed {
	r := newRow("", tree.Bytes(data))
	return placed{mode: mode, content: tree.Bytes(data), hash: r.hash, size: r.size}
}

// place puts a file at its path, in the place of what was there.
func (in *installation) place(name string, p placed) {
	if below, ok := strings.CutPrefix(name, "lib64/"); ok {
		name = "lib/" + below
	}
	switch {
	case !fs.ValidPath(name):
		in.problem("path %q leaves the environment or is not clean", name)
	case in.spec.owns(name):
		in.problem("%q would replace a part of the environment itself", name)
	default:
		in.files[name] = p
	}
}

// checkDirectories finds paths that are both a file and the parent of one.
func (in *installation) checkDirectories() {
	seen := map[string]bool{}
	for name := range in.files {
		for dir := path.Dir(name); dir != "." && !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			if _, ok := in.files[dir]; ok {
				in.problem("%q is both a file and a directory", dir)
			}
		}
	}
}

// installed makes the part of a wheel.
func (in *installation) installed(p Package) Installed {
	return in.assemble(p.Version, tree.Part{
		Name: "wheel/" + in.name + "-" + p.Version,
		Key:  cas.Key("wheel", FormatVersion, p.Wheel.SHA256, in.spec.Prefix, in.spec.Python.Short(), in.name, p.Version, p.DirectURL),
	})
}

// assemble gives a part what was placed. RECORD comes last, for it lists all others.
func (in *installation) assemble(version string, part tree.Part) Installed {
	s := in.spec
	out := Installed{
		Name:    in.name,
		Version: version,
		site:    s.SitePackages(),
		record:  s.SitePackages() + "/" + in.distInfo + "/RECORD",
		Part:    part,
	}
	out.Part.Entries = make([]tree.Entry, 0, len(in.files))
	out.rows = make([]row, 0, len(in.files))
	for _, name := range slices.Sorted(maps.Keys(in.files)) {
		f := in.files[name]
		out.Part.Entries = append(out.Part.Entries, tree.Entry{Path: s.inTree(name), Mode: f.mode, Content: f.content})
		if !f.unlisted {
			out.rows = append(out.rows, row{relative(in.site, name), f.hash, f.size})
		}
	}
	tree.Sort(out.Part.Entries)
	out.writeRecord()
	return out
}

// writeRecord gives RECORD's entry the rows as content. The entry is there: a wheel without RECORD is refused.
func (i *Installed) writeRecord() {
	at, ok := slices.BinarySearchFunc(i.Part.Entries, i.record, func(e tree.Entry, p string) int { return strings.Compare(e.Path, p) })
	if ok {
		i.Part.Entries[at].Content = tree.Bytes(formatRecord(i.rows))
	}
}

// formatDirectURL is direct_url.json of an archive (PEP 610), compact as uv writes it, without the fragment: a hash there is
// one of the archive, other things are for whoever resolves.
func formatDirectURL(s string) ([]byte, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Path == "" {
		return nil, fault.New(fault.Package, "", "origin of a package is not a URL") // not quoted: it may hold a password
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err = e.Encode(struct {
		URL     string   `json:"url"`
		Archive struct{} `json:"archive_info"`
	}{URL: u.String()})
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
