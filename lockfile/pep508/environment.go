package pep508

// Environment holds the values of PEP 508's environment variables for one
// target. PlatformRelease and PlatformVersion are empty where the kernel that
// will run the target is not known, as uv has them for a named platform.
type Environment struct {
	ImplementationName           string // "cpython"
	ImplementationVersion        string // "3.11.2"
	OSName                       string // "posix"
	PlatformMachine              string // "x86_64", "aarch64"
	PlatformPythonImplementation string // "CPython"
	PlatformRelease              string
	PlatformSystem               string // "Linux"
	PlatformVersion              string
	PythonVersion                string // "3.11"
	PythonFullVersion            string // "3.11.2"
	SysPlatform                  string // "linux"
}

// variable is what a marker compares with a text.
type variable uint8

const (
	noVariable variable = iota
	implementationName
	implementationVersion
	osName
	platformMachine
	platformPythonImplementation
	platformRelease
	platformSystem
	platformVersion
	pythonVersion
	pythonFullVersion
	sysPlatform
	extra
	extras           // PEP 751, the set of all active extras
	dependencyGroups // PEP 751
)

// variables gives the spellings of the variables; the first of each is the one
// that is printed, the others are deprecated.
var variables = [...]struct {
	name string
	is   variable
}{
	{"implementation_name", implementationName},
	{"implementation_version", implementationVersion},
	{"os_name", osName},
	{"os.name", osName},
	{"platform_machine", platformMachine},
	{"platform.machine", platformMachine},
	{"platform_python_implementation", platformPythonImplementation},
	{"platform.python_implementation", platformPythonImplementation},
	{"python_implementation", platformPythonImplementation},
	{"platform_release", platformRelease},
	{"platform_system", platformSystem},
	{"platform_version", platformVersion},
	{"platform.version", platformVersion},
	{"python_version", pythonVersion},
	{"python_full_version", pythonFullVersion},
	{"sys_platform", sysPlatform},
	{"sys.platform", sysPlatform},
	{"extra", extra},
	{"extras", extras},
	{"dependency_groups", dependencyGroups},
}

func (v variable) String() string {
	for _, known := range variables {
		if known.is == v {
			return known.name
		}
	}
	return ""
}

// isVersion reports whether the variable's values are versions.
func (v variable) isVersion() bool {
	return v == pythonVersion || v == pythonFullVersion || v == implementationVersion
}

// isSet reports whether the variable's value is a set of names.
func (v variable) isSet() bool { return v == extras || v == dependencyGroups }

// value gives the value of a variable other than the extras and groups.
func (e *Environment) value(v variable) string {
	switch v {
	case implementationName:
		return e.ImplementationName
	case implementationVersion:
		return e.ImplementationVersion
	case osName:
		return e.OSName
	case platformMachine:
		return e.PlatformMachine
	case platformPythonImplementation:
		return e.PlatformPythonImplementation
	case platformRelease:
		return e.PlatformRelease
	case platformSystem:
		return e.PlatformSystem
	case platformVersion:
		return e.PlatformVersion
	case pythonVersion:
		return running(e.PythonVersion)
	case pythonFullVersion:
		return running(e.PythonFullVersion)
	case sysPlatform:
		return e.SysPlatform
	}
	return ""
}
