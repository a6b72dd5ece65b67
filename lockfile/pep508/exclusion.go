package pep508

// exclusions are the values that no environment has together, by uv's knowledge
// (uv 0.11.8, uv-pep508/src/marker/algebra.rs:804).
var exclusions = []struct {
	of     variable
	values []string
	never  []string // of sys_platform
}{
	{osName, []string{"nt"}, []string{"linux", "darwin", "ios"}},
	{osName, []string{"posix"}, []string{"win32"}},
	{platformSystem, []string{"FreeBSD", "NetBSD", "OpenBSD", "SunOS"}, []string{
		"aix", "android", "emscripten", "ios", "linux", "darwin", "win32", "cygwin", "wasi",
	}},
	{platformSystem, []string{"iOS", "iPadOS"}, []string{
		"aix", "android", "emscripten", "linux", "darwin", "win32", "cygwin", "wasi",
	}},
}

// isBanned reports whether c holds nowhere but where excluded values meet.
func (a *Algebra) isBanned(c Condition) bool {
	if a.banned == False {
		for _, e := range exclusions {
			left, right := False, False
			for _, value := range e.values {
				left = a.either(left, a.text(e.of, value))
			}
			for _, value := range e.never {
				right = a.either(right, a.text(sysPlatform, value))
			}
			a.banned = a.either(a.banned, a.meet(left, right, naive))
		}
	}
	return a.meet(c, a.banned.Not(), naive) == False
}

// either is Or without knowledge.
func (a *Algebra) either(x, y Condition) Condition { return a.meet(x.Not(), y.Not(), naive).Not() }

// text gives the condition that a variable has a value.
func (a *Algebra) text(v variable, value string) Condition {
	return a.between(axis{class: textLine, key: v}, &cut{text: value}, &cut{text: value, after: true})
}
