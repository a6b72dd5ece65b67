package pack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/lockfile"
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
	"vpk/lockfile/pyproject"
)

// followedUV is the uv whose reading of locks and settings vpk follows.
var followedUV = pep440.MustParse("0.11.8")

// ReadSettings reads uv's settings for the project in a directory.
func ReadSettings(dir string, env config.Environment) (*pyproject.Settings, error) {
	dir, dirErr := filepath.Abs(dir)
	wd, wdErr := os.Getwd()
	if err := errors.Join(dirErr, wdErr); err != nil {
		return nil, fault.New(fault.Usage, "", "read settings: %w", err)
	}
	settings, err := config.ReadSettings(dir, wd, env, os.ReadFile)
	return &settings, err
}

// Configure reads uv's settings for the project.
func (p *Project) Configure(env config.Environment) (err error) {
	p.versions = env.Versions
	p.Settings, err = ReadSettings(p.Dir, env)
	return err
}

// Mirrors are the rules of [tool.vpk]; their paths are relative to the project that has them.
func (p *Project) Mirrors() ([]config.Mirror, error) {
	dir, err := filepath.Abs(p.mirrorDir())
	if err != nil {
		return nil, fault.New(fault.Usage, "", "read project: %w", err)
	}
	rules := make([]config.Mirror, len(p.Config.Mirrors))
	for i, m := range p.Config.Mirrors {
		rules[i] = m.In(dir)
	}
	return rules, nil
}

// uvSettings are those of Configure, else those in pyproject.toml alone.
func (p *Project) uvSettings() pyproject.Settings {
	if p.Settings == nil {
		return p.Manifest.UV.Settings
	}
	return *p.Settings
}

// otherUV says that the project asks for another uv than the one that vpk follows; it is empty where it does not. It is no error, as it
// would be for uv: what the project asks for is who may lock it.
func (p *Project) otherUV() string {
	required := p.uvSettings().RequiredVersion
	if required == nil || required.Contains(followedUV) {
		return ""
	}
	return fmt.Sprintf("the project requires uv %s (required-version), and vpk reads its lock as uv %s does", required, followedUV)
}

// refuseNoBinary refuses packages whose wheels must not be used (no-binary, no-binary-package): vpk builds nothing.
func (p *Project) refuseNoBinary(selection *lockfile.Selection) error {
	settings := p.uvSettings()
	var lines []string
	for _, s := range selection.Packages {
		if settings.NoBinary.On || slices.Contains(settings.NoBinaryPackages, s.Package.Name) {
			lines = append(lines, "  "+s.Package.String())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return fault.New(fault.Package, "vpk installs wheels and builds nothing; leave out no-binary, or build wheels and depend on those",
		"packages that the configuration (no-binary) wants built from source:\n%s", strings.Join(lines, "\n"))
}

// logins are the indexes and URLs that the project and the members of its workspace name: there may be credentials in them
// (crates/uv/src/commands/project/sync.rs, store_credentials_from_target). Members that cannot be read name none.
func (p *Project) logins() (indexes []pyproject.Index, urls []string) {
	for _, m := range p.manifests() {
		indexes = append(indexes, m.UV.Settings.Index...)
		requirements := [][]pep508.Requirement{m.Dependencies}
		for _, list := range m.OptionalDependencies {
			requirements = append(requirements, list)
		}
		for _, list := range m.DependencyGroups {
			requirements = append(requirements, list)
		}
		for _, r := range slices.Concat(requirements...) {
			if r.URL != "" {
				urls = append(urls, r.URL)
			}
		}
		for _, sources := range m.UV.Sources {
			for _, s := range sources {
				if s.URL != "" {
					urls = append(urls, s.URL)
				}
			}
		}
	}
	slices.Sort(urls) // they come out of maps
	return indexes, slices.Compact(urls)
}

// manifests are the project's and its members', of which those that cannot be read are left out.
func (p *Project) manifests() []*pyproject.Project {
	list := []*pyproject.Project{p.Manifest}
	if p.Lock == nil {
		return list
	}
	for _, name := range p.Lock.Manifest.Members {
		for _, pkg := range p.Lock.Named(name) {
			if !pkg.Source.IsTree() || pkg.Source.IsRoot() {
				continue
			}
			if member, err := readSettings(p.path(pkg.Source.Location)); err == nil {
				list = append(list, member.manifest)
			}
		}
	}
	return list
}
