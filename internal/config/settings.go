package config

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"

	"vpk/internal/fault"
	"vpk/lockfile/pyproject"
)

// ReadSettings gives uv's settings for the project in dir, an absolute path that is the root of its workspace: those of the
// environment, of the project, of the user and of the system, in that order of precedence (crates/uv/src/lib.rs:251). The
// project's are those of the nearest directory, from dir upwards, with a uv.toml or a [tool.uv] in its pyproject.toml; where it
// has both, uv.toml counts. Paths of indexes in the environment are relative to workingDir.
//
// Problems in these files are errors of the kind fault.Usage; not in a pyproject.toml above the project, which is somebody
// else's.
func ReadSettings(dir, workingDir string, e Environment, readFile func(string) ([]byte, error)) (pyproject.Settings, error) {
	r := settingsReader{readFile: readFile}
	settings := e.Settings.In(workingDir)
	if e.Files.Only != "" {
		s, found, err := r.file(e.Files.Only)
		if err == nil && !found {
			err = fault.New(fault.Usage, "check UV_CONFIG_FILE", "read settings: there is no %q", e.Files.Only)
		}
		return settings.Or(s), err
	}
	if e.Files.None {
		return settings, nil
	}
	project, err := r.project(dir)
	if err != nil {
		return settings, err
	}
	user, _, err := r.file(e.Files.User)
	if errors.Is(err, fs.ErrPermission) {
		err = nil
	}
	if err != nil {
		return settings, err
	}
	settings = settings.Or(project).Or(user)
	for _, name := range e.Files.System {
		system, found, err := r.file(name)
		if err != nil || found {
			return settings.Or(system), err
		}
	}
	return settings, nil
}

type settingsReader struct {
	readFile func(string) ([]byte, error)
}

// read is found false where there is no such file.
func (r settingsReader) read(name string) (data []byte, found bool, err error) {
	if name == "" {
		return nil, false, nil
	}
	data, err = r.readFile(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, false, nil
	}
	return data, err == nil, fault.Wrap(fault.Usage, "", err)
}

// file reads a uv.toml.
func (r settingsReader) file(name string) (s pyproject.Settings, found bool, err error) {
	data, found, err := r.read(name)
	if !found || err != nil {
		return s, false, err
	}
	s, err = pyproject.ReadSettings(data, name)
	return s.In(filepath.Dir(name)), true, err
}

func (r settingsReader) project(root string) (pyproject.Settings, error) {
	for dir := root; ; dir = filepath.Dir(dir) {
		s, found, err := r.file(filepath.Join(dir, "uv.toml"))
		if found || err != nil {
			return s, err
		}
		name := filepath.Join(dir, "pyproject.toml")
		data, found, err := r.read(name)
		if err != nil && dir == root {
			return s, err
		}
		if found {
			s, found, err = pyproject.ReadToolSettings(data, name)
			if dir != root {
				err = nil
			}
			if found || err != nil {
				return s.In(dir), err
			}
		}
		if dir == filepath.Dir(dir) {
			return pyproject.Settings{}, nil
		}
	}
}
