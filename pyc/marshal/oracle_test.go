package marshal

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"vpk/internal/peer"
)

//go:embed testdata/oracle.py
var oracleSource string

// source is a module.
type source struct{ name, text string }

// ask gives frames to an interpreter running oracle.py, with a seed for hashes, and returns those that it answers.
func ask(t testing.TB, minor, seed, command string, frames ...[]byte) [][]byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), peer.CPython(t, minor), "-S", "-s", "-B", "-W", "ignore", "-c", oracleSource, command)
	cmd.Env = append(os.Environ(), "PYTHONHASHSEED="+seed)
	var stdin, stderr bytes.Buffer
	for _, f := range frames {
		stdin.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(f))))
		stdin.Write(f)
	}
	cmd.Stdin, cmd.Stderr = &stdin, &stderr
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("CPython %s, %s: %v\n%s", minor, command, err, &stderr)
	}
	var answers [][]byte
	for len(said) > 0 {
		n := binary.LittleEndian.Uint32(said)
		answers, said = append(answers, said[4:4+n]), said[4+n:]
	}
	return answers
}

// compiled has modules compiled, "fresh" or "busy"; nothing is the answer for those that can't be.
func compiled(t testing.TB, minor, seed, how string, sources []source) [][]byte {
	t.Helper()
	var frames [][]byte
	for _, s := range sources {
		frames = append(frames, []byte(s.name), []byte(s.text))
	}
	return ask(t, minor, seed, how, frames...)
}

// format is that of a minor such as "3.12".
func format(t testing.TB, minor string) *Format {
	t.Helper()
	f, ok := For("cpython-" + strings.ReplaceAll(minor, ".", ""))
	if !ok {
		t.Fatalf("no format for CPython %s", minor)
	}
	return f
}

// canonical is the canonical form of one module, whole.
func canonical(t testing.TB, f *Format, name string, data []byte) []byte {
	t.Helper()
	out, gap, err := f.Canonical(nil, data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return fill(f, out, gap, name)
}

func fill(f *Format, data []byte, gap Gap, name string) []byte {
	return bytes.Join([][]byte{data[:gap.At], data[gap.At:]}, f.FileName(name, gap.Shared))
}

// counts are what the walker has seen.
type counts map[string]int

// walk compares pairs of marshalled modules and reports what differs in what they are loaded to.
func walk(t testing.TB, minor string, names []string, pairs [][]byte) counts {
	t.Helper()
	answers := ask(t, minor, "0", "walk", pairs...)
	if len(answers) != len(names)+1 {
		t.Fatalf("%d answers for %d modules", len(answers), len(names))
	}
	for i, name := range names {
		if len(answers[i]) > 0 {
			t.Errorf("%s, CPython %s: %s", name, minor, answers[i])
		}
	}
	var c counts
	if err := json.Unmarshal(answers[len(names)], &c); err != nil {
		t.Fatal(err)
	}
	return c
}
