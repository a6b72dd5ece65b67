package pep508

import (
	_ "embed"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/peer"
)

//go:embed testdata/oracle.py
var oracle string

// question and answer are what testdata/oracle.py reads and writes.
type (
	question struct {
		Markers      []string
		Envs         []map[string]string
		Ask          [][]int // for each marker, indexes into Envs
		Requirements []string
	}
	answer struct {
		Valid        []bool
		Answers      [][][2]bool // the truth, and whether packaging alone says otherwise
		Requirements []*parsedRequirement
	}
	parsedRequirement struct {
		Name       string
		Extras     []string
		Specifiers []string
		URL        string
	}
)

func variablesOf(env Environment, extra string) map[string]string {
	return map[string]string{
		"implementation_name":            env.ImplementationName,
		"implementation_version":         env.ImplementationVersion,
		"os_name":                        env.OSName,
		"platform_machine":               env.PlatformMachine,
		"platform_python_implementation": env.PlatformPythonImplementation,
		"platform_release":               env.PlatformRelease,
		"platform_system":                env.PlatformSystem,
		"platform_version":               env.PlatformVersion,
		"python_version":                 env.PythonVersion,
		"python_full_version":            env.PythonFullVersion,
		"sys_platform":                   env.SysPlatform,
		"extra":                          extra,
	}
}

// TestAgreesWithPackaging compares seeded random markers and requirements, the
// hand-picked ones of the tables among them, and what is printed for them.
func TestAgreesWithPackaging(t *testing.T) {
	count := 4000
	if peer.InFull() {
		count = 40000
	}
	r := rand.New(rand.NewPCG(508, 26_3))
	q := question{Markers: slices.Clone(oddMarkers), Requirements: slices.Clone(oddRequirements)}
	for range count {
		q.Markers = append(q.Markers, randomMarker(r, 2))
	}
	for range count / 5 {
		q.Markers = append(q.Markers, mangle(r, randomMarker(r, 1)))
		q.Requirements = append(q.Requirements, randomRequirement(r), mangle(r, randomRequirement(r)))
	}
	given := len(q.Markers)
	markers := make([]Marker, given, 2*given)
	errs := make([]error, given, 2*given)
	for i, s := range q.Markers {
		markers[i], errs[i] = ParseMarker(s)
		if !markers[i].IsTrue() {
			// packaging has to read what is printed in the same way.
			q.Markers = append(q.Markers, markers[i].String())
			markers = append(markers, markers[i])
			errs = append(errs, nil)
		}
	}
	for _, e := range environments {
		q.Envs = append(q.Envs, variablesOf(e.env, e.extra))
	}
	for i := range q.Markers {
		envs := []int{r.IntN(len(environments)), r.IntN(len(environments))}
		if i < len(oddMarkers) {
			envs = nil
			for e := range environments {
				envs = append(envs, e)
			}
		}
		q.Ask = append(q.Ask, envs)
	}
	var a answer
	peer.AskPackaging(t, oracle, q, &a)

	valid, evaluated, byUV := 0, 0, 0
	for i, s := range q.Markers {
		if (errs[i] == nil) != a.Valid[i] {
			t.Errorf("ParseMarker(%q): %v; the oracle accepts: %t", s, errs[i], a.Valid[i])
			continue
		}
		if errs[i] != nil {
			continue
		}
		if i < given {
			valid++
		}
		for k, e := range q.Ask[i] {
			env := environments[e]
			want := a.Answers[i][k]
			evaluated++
			if want[1] {
				byUV++
			}
			got := markers[i].Evaluate(env.env, func(name string) bool { return name == env.extra })
			if got != want[0] {
				t.Errorf("%q in environment %d: %t, the oracle says %t (packaging alone otherwise: %t)", s, e, got, want[0], want[1])
			}
		}
	}
	t.Logf("%d markers (%d valid, each also as printed), %d evaluations (%d decided by uv against packaging)", given, valid, evaluated, byUV)
	if valid < count/2 {
		t.Errorf("only %d markers were valid", valid)
	}

	valid = 0
	for i, s := range q.Requirements {
		got, err := ParseRequirement(s)
		want := a.Requirements[i]
		if (err == nil) != (want != nil) {
			t.Errorf("ParseRequirement(%q): %v; the oracle accepts: %t", s, err, want != nil)
		}
		if err != nil || want == nil {
			continue
		}
		valid++
		if diff := cmp.Diff(*want, plain(got)); diff != "" {
			t.Errorf("ParseRequirement(%q) (-packaging +ours):\n%s", s, diff)
		}
	}
	t.Logf("%d requirements (%d valid)", len(q.Requirements), valid)
	if valid < count/10 {
		t.Errorf("only %d requirements were valid", valid)
	}
}

func plain(r Requirement) parsedRequirement {
	p := parsedRequirement{Name: r.Name, Extras: append([]string{}, r.Extras...), Specifiers: []string{}, URL: r.URL}
	for _, s := range r.Specifiers {
		p.Specifiers = append(p.Specifiers, s.String())
	}
	slices.Sort(p.Specifiers)
	return p
}
