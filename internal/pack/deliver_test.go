package pack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vpk/internal/fault"
	"vpk/layer"
)

func TestDeliveriesAreDistinct(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("there", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		outputs, digestFile, want string
		kind                      fault.Kind
	}{
		{outputs: "oci:a oci-archive:b docker-archive:c dir:d", digestFile: "e"},
		{outputs: "oci:a oci:a:other oci:a:other"},
		{outputs: "oci:a", digestFile: "there/digest"},
		{outputs: "oci-archive:b docker-archive:./there/../b", want: "oci-archive:b and docker-archive:./there/../b are the same place", kind: fault.Usage},
		{outputs: "dir:b oci:b", want: "dir:b and oci:b are the same place", kind: fault.Usage},
		{outputs: "oci-archive:b oci-archive:b", want: "the same place", kind: fault.Usage},
		{outputs: "oci-archive:b", digestFile: "./b", want: "the digest file and oci-archive:b are the same place", kind: fault.Usage},
		{digestFile: "there", want: `"there" is a directory`, kind: fault.Delivery},
		{digestFile: "nowhere/digest", want: "no such file", kind: fault.Delivery},
	} {
		d := Deliveries{DigestFile: test.digestFile}
		for word := range strings.FieldsSeq(test.outputs) {
			out, err := layer.ParseOutput(word)
			if err != nil {
				t.Fatal(err)
			}
			d.Outputs = append(d.Outputs, out)
		}
		err := d.check()
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%q, %q: %v", test.outputs, test.digestFile, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || fault.KindOf(err) != test.kind):
			t.Errorf("%q, %q: got %v (kind %d), want %q", test.outputs, test.digestFile, err, fault.KindOf(err), test.want)
		}
	}
	if entries, err := filepath.Glob("*"); err != nil || len(entries) != 1 {
		t.Errorf("files were made: %q, %v", entries, err)
	}
}
