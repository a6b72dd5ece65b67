package pack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/lockfile"
	"vpk/lockfile/pyproject"
)

// ReadManifest reads pyproject.toml alone.
func ReadManifest(dir string) (*Project, error) {
	name := filepath.Join(dir, "pyproject.toml")
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, fault.New(fault.Usage, "name the directory of a project, or change to it", "read project: there is no %q", name)
	} else if err != nil {
		return nil, fault.New(fault.Usage, "", "read project: %w", err)
	}
	p := &Project{Dir: dir}
	var configErr error
	p.Manifest, err = pyproject.Read(data, name)
	if err == nil {
		p.Config, configErr = config.Read(data, name)
	}
	return p, errors.Join(err, configErr)
}

// ReadProject reads pyproject.toml and uv.lock.
func ReadProject(dir string) (*Project, error) {
	p, err := ReadManifest(dir)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "uv.lock")
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Lock, "run `uv lock`", "read lock: there is no %q", name)
	} else if err != nil {
		return nil, fault.New(fault.Lock, "", "read lock: %w", err)
	}
	if p.Lock, err = lockfile.Parse(data, name); err != nil {
		return nil, err
	}
	return p, nil
}
