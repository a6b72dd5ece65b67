package lockfile

import (
	"vpk/internal/fault"
	"vpk/lockfile/pep440"
	"vpk/lockfile/pep508"
	"vpk/wheel/tag"
)

// MarkerEnvironment gives the values of environment markers on a target, as uv's --python-platform does: the release and
// version of the kernel are empty, since an image does not choose its kernel.
func MarkerEnvironment(target tag.Target) pep508.Environment {
	full := target.Python.String()
	return pep508.Environment{
		ImplementationName:           "cpython",
		ImplementationVersion:        full,
		OSName:                       "posix",
		PlatformMachine:              string(target.Arch),
		PlatformPythonImplementation: "CPython",
		PlatformSystem:               "Linux",
		PythonVersion:                target.Python.Short(),
		PythonFullVersion:            full,
		SysPlatform:                  "linux",
	}
}

// CheckPython tells whether a target's Python is one that a requires-python holds for. Only the release counts, as in uv:
// 3.14.0rc1 is 3.14.0. The error is of kind fault.Base; who is what requires it ("uv.lock", "project \"demo\"").
func CheckPython(required pep440.Specifiers, who string, target tag.Target) error {
	full := target.Python.String()
	version, err := pep440.Parse(full)
	if err != nil {
		return fault.New(fault.Base, "", "python of the target: %w", err)
	}
	if required.Contains(version.ReleaseOnly()) {
		return nil
	}
	return fault.New(fault.Base, "choose a base image with another Python, or change requires-python and run `uv lock`",
		"the image has CPython %s, %s requires %s", full, who, required)
}
