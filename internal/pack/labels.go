package pack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"vpk/internal/fault"
	"vpk/layer"
	"vpk/lockfile/pep508"
	"vpk/pyc"
	"vpk/venv"
	"vpk/venv/project"
)

// The labels by which an image says how it came to be, so that it can be made again. What else decides over its bytes is in the
// image anyway: the base's digest, the time, the project's files. None names this machine, or the program that wrote it.
const (
	// labelSelection is the digest of what was selected from the lock.
	labelSelection = "vpk.selection"
	// labelFormat names the rules by which all else becomes bytes: the format versions of the rooms that have a part in it.
	labelFormat = "vpk.format"
	// labelOptions is a recipe as JSON.
	labelOptions = "vpk.options"
)

// labels are those of an image of a selection.
func (o Options) labels(selection string) (map[string]string, error) {
	options, err := json.Marshal(o.recipe())
	if err != nil {
		return nil, fmt.Errorf("write label %s: %w", labelOptions, err)
	}
	return map[string]string{labelSelection: selection, labelFormat: o.format(), labelOptions: string(options)}, nil
}

// format names the rules of this program.
func (o Options) format() string {
	f := fmt.Sprintf("layer=%d venv=%s project=%s", layer.FormatVersion, venv.FormatVersion, project.FormatVersion)
	if o.Bytecode {
		f += fmt.Sprintf(" bytecode=%d", pyc.FormatVersion)
	}
	return f
}

// recipe is what the command line, the environment and the project decide together and no file in the image says. Its keys are
// those of the flags; what is not asked for is left out.
type recipe struct {
	Packages           []string `json:"package,omitempty"`
	AllPackages        bool     `json:"all-packages,omitempty"`
	Extras             []string `json:"extra,omitempty"`
	AllExtras          bool     `json:"all-extras,omitempty"`
	NoExtras           []string `json:"no-extra,omitempty"`
	Groups             []string `json:"group,omitempty"`
	AllGroups          bool     `json:"all-groups,omitempty"`
	NoGroups           []string `json:"no-group,omitempty"`
	OnlyGroups         []string `json:"only-group,omitempty"`
	NoDefaultGroups    bool     `json:"no-default-groups,omitempty"`
	NoInstall          []string `json:"no-install-package,omitempty"`
	NoInstallProject   bool     `json:"no-install-project,omitempty"`
	NoInstallWorkspace bool     `json:"no-install-workspace,omitempty"`
	NoInstallLocal     bool     `json:"no-install-local,omitempty"`
	NoBytecode         bool     `json:"no-bytecode,omitempty"`
	Compression        string   `json:"compression,omitempty"`
}

// recipe of equal options is equal, however they were spelt.
func (o Options) recipe() recipe {
	const dev = "dev"
	names := func(also bool, list []string) []string {
		var names []string
		for _, name := range list {
			names = append(names, pep508.NormalizeName(name))
		}
		if also {
			names = append(names, dev)
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	s := o.Selection
	compression := o.Compression.String()
	if o.Compression == (layer.Compression{}) {
		compression = ""
	}
	return recipe{
		Packages:           names(false, s.Packages),
		AllPackages:        s.AllPackages,
		Extras:             names(false, s.Extras),
		AllExtras:          s.AllExtras,
		NoExtras:           names(false, s.NoExtras),
		Groups:             names(s.Dev, s.Groups),
		AllGroups:          s.AllGroups,
		NoGroups:           names(s.NoDev, s.NoGroups),
		OnlyGroups:         names(s.OnlyDev, s.OnlyGroups),
		NoDefaultGroups:    s.NoDefaultGroups,
		NoInstall:          names(false, s.NoInstall),
		NoInstallProject:   s.NoInstallProject,
		NoInstallWorkspace: s.NoInstallWorkspace,
		NoInstallLocal:     s.NoInstallLocal,
		NoBytecode:         !o.Bytecode,
		Compression:        compression,
	}
}

// readRecipe reads the label. One that asks for what this program does not know is an error: the image could not be made again.
func readRecipe(label string) (recipe, error) {
	var r recipe
	d := json.NewDecoder(strings.NewReader(label))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, fault.New(fault.NotReproducible, "a newer vpk may know them", "the image was packed with options that cannot be read: label %s: %w", labelOptions, err)
	}
	return r, nil
}

// choose puts the recipe's selection in place of the options' own.
func (r recipe) choose(o *Options) {
	s := &o.Selection
	s.Packages, s.AllPackages = r.Packages, r.AllPackages
	s.Extras, s.AllExtras, s.NoExtras = r.Extras, r.AllExtras, r.NoExtras
	s.Groups, s.AllGroups, s.NoGroups, s.OnlyGroups = r.Groups, r.AllGroups, r.NoGroups, r.OnlyGroups
	s.NoDefaultGroups = r.NoDefaultGroups
	s.Dev, s.OnlyDev, s.NoDev = false, false, false
	s.NoInstall = r.NoInstall
	s.NoInstallProject, s.NoInstallWorkspace, s.NoInstallLocal = r.NoInstallProject, r.NoInstallWorkspace, r.NoInstallLocal
}
