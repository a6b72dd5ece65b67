package pack

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/internal/spelling"
	"vpk/layer"
)

// imageConfig is the image's configuration on top of its base's: [tool.vpk], with the first word of what is to run
// resolved to an absolute path that exists in the image (DESIGN D8 gives the reasons).
func imageConfig(c config.File, baseEnv []string, f files, scripts []string) (layer.Config, error) {
	env := variables(baseEnv, c.Env)
	out := layer.Config{
		User:        c.User,
		WorkingDir:  c.Workdir,
		Env:         env,
		Labels:      c.Labels,
		Annotations: c.Annotations,
	}
	if out.User == "" {
		out.User = config.DefaultUser
	}
	if out.WorkingDir == "" {
		out.WorkingDir = appDir
	}
	for _, p := range c.Ports {
		out.ExposedPorts = append(out.ExposedPorts, string(p))
	}
	search := value(env, "PATH")
	if search == "" {
		search = value(baseEnv, "PATH")
	}
	resolve := func(key string, argv []string) ([]string, error) {
		first, err := f.command(key, argv[0], search, out.WorkingDir)
		return append([]string{first}, argv[1:]...), err
	}
	var err error
	switch {
	case len(c.Entrypoint) > 0:
		out.Cmd = c.Cmd
		out.Entrypoint, err = resolve("entrypoint", c.Entrypoint)
	case len(c.Cmd) > 0:
		out.Cmd, err = resolve("cmd", c.Cmd)
	default:
		program := prefix + "/bin/python"
		if len(scripts) == 1 {
			if script := prefix + "/bin/" + scripts[0]; f.executable(script) {
				program = script
			}
		}
		out.Cmd = []string{program}
	}
	return out, err
}

// variables are what the image adds to the base's environment: the tutorial's three variables and the project's own.
func variables(base []string, own map[string]string) []string {
	search := prefix + "/bin"
	if p := value(base, "PATH"); p != "" {
		search += ":" + p
	}
	env := []string{"PATH=" + search, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		entry := name + "=" + own[name]
		at := slices.IndexFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
		if at >= 0 {
			env[at] = entry
		} else {
			env = append(env, entry)
		}
	}
	return env
}

// value is the value of a variable in an environment, "" when it has none.
func value(env []string, name string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// command finds the first word of a command as execvp would, in the image: an absolute path, a path from the working
// directory, or a name on the search path. A script must name an interpreter that exists too: there is no shell.
func (f files) command(key, word, search, workdir string) (string, error) {
	found := ""
	switch {
	case path.IsAbs(word):
		if f.executable(path.Clean(word)) {
			found = path.Clean(word)
		}
	case strings.Contains(word, "/"):
		if p := path.Join(workdir, word); f.executable(p) {
			found = p
		}
	default:
		for dir := range strings.SplitSeq(search, ":") {
			if p := path.Join("/", dir, word); dir != "" && f.executable(p) {
				found = p
				break
			}
		}
	}
	if found == "" {
		return "", f.noCommand(key, word, workdir)
	}
	interpreter, err := f.script(found)
	if err != nil {
		return "", err
	}
	if interpreter != "" && !f.executable(path.Clean(interpreter)) {
		return "", fault.New(fault.Usage, "name the program that it would start, or choose a base image that has it",
			"%s of [tool.vpk]: %q needs %q, which the image does not have", key, found, interpreter)
	}
	return found, nil
}

// noCommand says why a word starts nothing: a file that is no program, a program that is not where it is looked for, or nothing at all.
func (f files) noCommand(key, word, workdir string) error {
	at := path.Clean(word)
	if !path.IsAbs(word) {
		at = path.Join(workdir, word)
	}
	if _, _, mode, ok := f.resolve(at); ok && mode.IsRegular() {
		if mode&0o111 == 0 {
			return fault.New(fault.Usage, fmt.Sprintf("start it with its interpreter, as in [\"python\", %q], or make it executable", word),
				"%s of [tool.vpk]: %q is not executable", key, word)
		}
		return fault.New(fault.Usage, fmt.Sprintf("write %q", "./"+word), "%s of [tool.vpk]: %q is not on the image's PATH", key, word)
	}
	scripts := f.scripts()
	hint := "programs of the environment: " + strings.Join(scripts, ", ")
	if near := spelling.Nearest(path.Base(word), scripts); near != "" {
		hint = fmt.Sprintf("did you mean %q? %s", near, hint)
	}
	return fault.New(fault.Usage, hint, "%s of [tool.vpk]: there is no program %q in the image", key, word)
}
