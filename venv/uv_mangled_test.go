package venv

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"vpk/internal/peer"
	"vpk/internal/testwheel"
)

// nearly is metadata that is right, and pieces that may make it wrong.
var nearly = []struct {
	file, text string
	pieces     []string
}{
	{
		"RECORD", "m/__init__.py,sha256=abc,1\n\"m/a,b.py\",,\n/m/abs.py,md5=x,\nm-1.dist-info/RECORD,,\r\nm-1.dist-info/WHEEL,sha256=w,12\n",
		[]string{",", `"`, `""`, "\n", "\r", "\r\n", "\n\n", "/", "./", "../", "0x1f", "+1", " ", "-1", "é", "sha256=", "#", "1", "m/a", "99999999999999999999", "\"\n\"", "\ufeff"},
	},
	{
		"entry_points.txt", "[console_scripts]\nrun = m.a:main\nrun-b=m:App.run [x,y]\n\n[gui_scripts]\nwindow = m:show\n",
		[]string{
			"=", ":", "[", "]", "#", ";", "\n", "\r\n", "\r", " ", "\t", "a", ".", "[console_scripts]\n", "[gui_scripts]", `"`, "é", "\u00a0", "%", "-", ",", "pip3", "pip3.9",
			"m:f", "[x", "\\", "'", "!", "\ufeff", "\u2028", "run",
		},
	},
	{
		"METADATA", "Metadata-Version: 2.1\nName: m\nVersion: 1\nSummary: s\n more\n\nText: t\n",
		[]string{"Name: ", "name:", ":", "\n", " ", "\t", "\r\n", "\r", "\n\n", "_", "-", ".", "0", "1", ".0", "v1", "m", "M", "=?utf-8?q?m?=", "é", "UNKNOWN", "Version: 1", "Version: 2\n", "+l", "\ufeff", "\u00a0"},
	},
	{
		"WHEEL", "Wheel-Version: 1.0\nGenerator: g\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		[]string{"Wheel-Version: ", "wheel-version", ":", "\n", " ", "\t", "\r\n", "\r", "\n\n", "1", "0.1", "2", ".", "9", "=?utf-8?q?1.0?=", "é", "UNKNOWN", "+", "\ufeff", "false"},
	},
}

// TestUVMangled: metadata that is nearly right, uv and this package read alike or refuse alike.
func TestUVMangled(t *testing.T) {
	r, n := rand.New(rand.NewPCG(4, 11)), 8
	if peer.InFull() {
		n = 400
	}
	installed, refused := 0, 0
	for i := range n {
		sample := nearly[i%len(nearly)]
		text := peer.Mangle(r, sample.text, sample.pieces)
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			b := testwheel.New("m", "1").File("m/__init__.py", "1").File("m/a,b.py", "2").File("m/abs.py", "3").DistInfo(sample.file, text)
			files := []string{b.Write(t, t.TempDir())}
			p := newPair(t, files, false)
			uvErr := p.installByUV(files)
			s := p.spec()
			_, parts, _, err := p.plan(s)
			switch {
			case uvErr != nil && err != nil:
				refused++
			case uvErr != nil:
				t.Errorf("it is read, and uv says: %v", uvErr)
			case err != nil && !deliberate(err):
				t.Errorf("it is read by uv, and we say: %v", err)
			case err == nil:
				installed++
				p.write(parts)
				p.compare(s)
			}
			if t.Failed() {
				t.Logf("%s is\n%s\n%q", sample.file, text, text)
			}
		})
	}
	t.Logf("compared %d wheels: %d installed, %d refused by both", n, installed, refused)
}

// deliberate tells a refusal that is one of the deliberate differences.
func deliberate(err error) bool {
	return strings.Contains(err.Error(), "is a path") || strings.Contains(err.Error(), "has a control character")
}
