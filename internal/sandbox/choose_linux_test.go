package sandbox

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"vpk/internal/cas"
	"vpk/internal/fault"
)

func options(t *testing.T, choice string, args ...string) Options {
	t.Helper()
	root, err := probeRoot()
	if err != nil {
		t.Fatal(err)
	}
	cache, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	trial := (&engineUnderTest{root: root}).command(nil, args...)
	trial.RootID = "" // nothing to import by: these tests are not about docker and podman
	return Options{Choice: choice, Cache: cache, BootID: "boot", Trial: trial}
}

func TestChooseTakesWhatWorks(t *testing.T) {
	underTest(t, "namespaces")
	for _, choice := range []string{"", "auto", "namespaces"} {
		s, err := Choose(t.Context(), options(t, choice, "exit", "0"))
		if err != nil || s.Name() != "namespaces" {
			t.Errorf("%q: %v, %v", choice, s, err)
		}
	}
	s, err := Choose(t.Context(), options(t, "direct", "exit", "0"))
	if err != nil || s.Name() != "direct" {
		t.Errorf("direct: %v, %v", s, err)
	}
	o := options(t, "", "exit", "0")
	o.Choice = filepath.Join(o.Trial.Root, "probe")
	if s, err = Choose(t.Context(), o); err != nil || s.Name() != o.Choice {
		t.Errorf("an interpreter: %v, %v", s, err)
	}
}

func TestChooseSaysWhyNothingWorks(t *testing.T) {
	_, err := Choose(t.Context(), options(t, "auto", "print", "out", "what is\nwrong"))
	if err != nil {
		t.Fatalf("a trial that ends well: %v", err)
	}
	_, err = Choose(t.Context(), options(t, "auto", "exit", "9"))
	if fault.KindOf(err) != fault.Sandbox || len(fault.Hints(err)) == 0 {
		t.Fatalf("nothing works: %v, hints %q", err, fault.Hints(err))
	}
	for _, name := range engines {
		if !strings.Contains(err.Error(), "sandbox "+name+": ") {
			t.Errorf("%s is not in %q", name, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %q", err)
	}
	var failed *ExitError
	if !errors.As(err, &failed) || failed.Code != 9 {
		t.Errorf("the exit status is lost: %v", err)
	}
	o := options(t, "namespaces", "open")
	o.Trial.Args = []string{"/no/such/program"}
	if _, err := Choose(t.Context(), o); fault.KindOf(err) != fault.Sandbox || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("a program that is not there: %v", err)
	}
	for _, choice := range []string{"nspawn", "bin/python", "Auto"} {
		if _, err := Choose(t.Context(), options(t, choice, "exit", "0")); fault.KindOf(err) != fault.Usage {
			t.Errorf("%q: %v", choice, err)
		}
	}
}

func TestChooseRemembers(t *testing.T) {
	underTest(t, "namespaces")
	o := options(t, "auto", "exit", "0")
	choose := func(what, want string, args ...string) {
		t.Helper()
		o.Trial.Args = append([]string{"/probe"}, args...)
		s, err := Choose(t.Context(), o)
		switch {
		case want == "" && err == nil:
			t.Errorf("%s: %s works", what, s.Name())
		case want != "" && (err != nil || s.Name() != want):
			t.Errorf("%s: %v, %v", what, s, err)
		}
	}
	choose("first", "namespaces", "exit", "0")
	choose("again, without a trial", "namespaces", "exit", "1")
	o.BootID = "another"
	choose("after a boot", "", "exit", "1")
	choose("when the user has changed something", "namespaces", "exit", "0")

	// In namespaces the program is the first process; elsewhere it is not.
	o.BootID = "a third"
	choose("what fails in namespaces only", "direct", "first", "9")
	choose("again, with neither tried", "direct", "exit", "1")
	o.Choice = "namespaces"
	choose("named, it is tried whatever is remembered", "namespaces", "exit", "0")
}

func TestRunWithoutNamespacesIsRefused(t *testing.T) {
	for _, name := range []string{"direct", "interpreter"} {
		e := underTest(t, name)
		c := e.command(nil, "exit", "0")
		c.Profile = Run
		if _, err := e.Start(t.Context(), c); fault.KindOf(err) != fault.Sandbox || len(fault.Hints(err)) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCommandIsChecked(t *testing.T) {
	e := underTest(t, "namespaces")
	for name, spoil := range map[string]func(*Command){
		"relative root": func(c *Command) { c.Root = "root" },
		"no program":    func(c *Command) { c.Args = nil },
		"NUL":           func(c *Command) { c.Args = append(c.Args, "a\x00b") },
		"environment":   func(c *Command) { c.Env = []string{"NAME"} },
		"no name":       func(c *Command) { c.Env = []string{"=value"} },
		"directory":     func(c *Command) { c.Dir = "app" },
		"bind":          func(c *Command) { c.Binds = []Bind{{Host: "/tmp", Image: "/.."}} },
		"absent bind":   func(c *Command) { c.Binds = []Bind{{Host: "/no/such/directory", Image: "/x"}} },
		"absent root":   func(c *Command) { c.Root = "/no/such/root" },
		"absent dir":    func(c *Command) { c.Dir = "/no/such/directory" },
	} {
		c := e.command(nil, "exit", "0")
		spoil(&c)
		if p, err := e.Start(t.Context(), c); err == nil {
			t.Errorf("%s was accepted: %v", name, p.Wait())
		} else if fault.KindOf(err) != fault.Sandbox {
			t.Errorf("%s: kind of %v", name, err)
		}
	}
}
