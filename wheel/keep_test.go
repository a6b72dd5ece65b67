package wheel

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"vpk/internal/testwheel"
	"vpk/internal/transport"
)

func read(m Member) ([]byte, error) {
	r, err := m.Open()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if closed := r.Close(); err == nil {
		err = closed
	}
	return data, err
}

// TestNewWheelStaysInMemory: what is compiled and compressed next needs no archive, until it is forgotten.
func TestNewWheelStaysInMemory(t *testing.T) {
	f := newFixture(t, transport.Options{})
	small, module, large := strings.Repeat("a", 100), strings.Repeat("x = 1\n", 20_000), strings.Repeat("b", keepSmall)
	b := testwheel.New("demo", "1.0")
	b.File("demo/data.txt", small)
	b.File("demo/module.py", module)
	b.File("demo/large.bin", large)
	w, err := f.Fetch(t.Context(), f.serve(t, b))
	if err != nil {
		t.Fatal(err)
	}
	path := w.archive.path
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Whatever is read from the archive now is an error.
	if err := os.WriteFile(path, bytes.Repeat([]byte{0xff}, len(good)), 0o644); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"demo/data.txt": small, "demo/module.py": module}
	for name, content := range want {
		m, _ := w.Member(name)
		if got, err := read(m); err != nil || string(got) != content {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if left := f.budget.Load(); left >= keepBudget-int64(len(small)+len(module)) || left < keepBudget-int64(len(small)+len(module))-1<<16 {
		t.Errorf("%d of the budget are left", left)
	}
	w.Forget()
	if left := f.budget.Load(); left != keepBudget {
		t.Errorf("%d of the budget are left after Forget", left)
	}
	if err := os.WriteFile(path, good, 0o644); err != nil {
		t.Fatal(err)
	}
	want["demo/large.bin"] = large
	for name, content := range want {
		m, _ := w.Member(name)
		if got, err := read(m); err != nil || string(got) != content {
			t.Errorf("%s, from the archive: %d bytes, %v", name, len(got), err)
		}
	}
	if err := w.Close(); err != nil || f.budget.Load() != keepBudget {
		t.Errorf("%v, %d of the budget are left", err, f.budget.Load())
	}
}

// TestBudgetOfMemory: beyond it nothing is kept, and bad wheels give back what they took.
func TestBudgetOfMemory(t *testing.T) {
	f := newFixture(t, transport.Options{})
	f.budget.Store(1000)
	b := testwheel.New("demo", "1.0")
	for _, name := range []string{"a", "b", "c"} {
		b.File("demo/"+name+".py", strings.Repeat(name, 600))
	}
	ref := f.serve(t, b)
	w, err := f.Fetch(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if left := f.budget.Load(); left < 0 || left >= 1000 {
		t.Errorf("%d of the budget are left", left)
	}
	for _, m := range w.Members() {
		if _, err := read(m); err != nil {
			t.Errorf("%s: %v", m.Name(), err)
		}
	}
	if err := w.Close(); err != nil || f.budget.Load() != 1000 {
		t.Errorf("%v, %d of the budget are left", err, f.budget.Load())
	}
	// One that the cache has is not kept at all.
	if w, err = f.Fetch(t.Context(), ref); err != nil || f.budget.Load() != 1000 {
		t.Fatalf("%v, %d of the budget are left", err, f.budget.Load())
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}

	bad := testwheel.Archive("demo", testwheel.Member{Name: "a.py", Content: "print(1)\n"}, testwheel.Member{Name: "b.py", Content: "x", Raw: []byte{0xff}})
	broken := f.serve(t, testwheel.New("broken", "1.0"))
	broken.Path, broken.URL, broken.Hash = t.TempDir()+"/"+broken.Filename.String(), "", Hash{}
	if err := os.WriteFile(broken.Path, bad, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Fetch(t.Context(), broken); err == nil || f.budget.Load() != 1000 {
		t.Errorf("a bad wheel: %v, %d of the budget are left", err, f.budget.Load())
	}
}
