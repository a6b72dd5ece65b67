package venv

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"vpk/internal/peer"
)

// popular are the lines of testdata/popular.txt, by the first two words of their section's comment.
func popular(t *testing.T) map[string][][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/popular.txt")
	if err != nil {
		t.Fatal(err)
	}
	sections, seen := map[string][][]string{}, map[string]bool{}
	for paragraph := range strings.SplitSeq(string(text), "\n\n") {
		section := strings.Join(strings.Fields(paragraph)[1:3], " ")
		for line := range strings.Lines(paragraph) {
			if strings.HasPrefix(line, "#") {
				continue
			}
			words := strings.Fields(line)
			for _, w := range words {
				if seen[w] {
					t.Errorf("%s is there twice", w)
				}
				seen[w] = true
			}
			sections[section] = append(sections[section], words)
		}
	}
	return sections
}

// untrue are the wheels whose own RECORD does not hold for their files; uv and vpk leave it so.
var untrue = map[string]string{
	"furo":                "hashes are hexadecimal, not base64",
	"pydata-sphinx-theme": "hashes are hexadecimal, not base64",
}

// TestUVPopular: real wheels are installed as uv installs them. Without VPK_PROOF=1 only some of the small ones are.
func TestUVPopular(t *testing.T) {
	sections := popular(t)
	lines := sections["Every run:"]
	if peer.InFull() {
		lines = slices.Concat(lines, sections["Odd ones:"], sections["Small ones:"], sections["The others."])
	} else {
		small := sections["Small ones:"]
		for _, i := range rand.New(rand.NewPCG(11, 8)).Perm(len(small))[:2] {
			lines = append(lines, small[i])
		}
	}
	wheels, paths := 0, 0
	for _, line := range lines {
		t.Run(line[0], func(t *testing.T) {
			n, faults := compareWithUV(t, peer.NativeWheels(t, line...), false)
			found := map[string]bool{}
			for _, fault := range faults {
				name, _, _ := strings.Cut(fault, ":")
				found[name] = true
				if untrue[name] == "" {
					t.Errorf("CPython: %s", fault)
				}
			}
			for _, requirement := range line {
				if name, _, _ := strings.Cut(requirement, "=="); untrue[name] != "" && !found[name] {
					t.Errorf("CPython finds nothing wrong with %s, of which we know: %s", name, untrue[name])
				}
			}
			wheels, paths = wheels+len(line), paths+n
		})
	}
	t.Logf("compared %d wheels, %d paths", wheels, paths)
}
