package index

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpk/internal/peer"
)

var netrcs = []string{
	"", "\n\n", "# nothing\n",
	"machine h login n password p",
	"machine h\n\tlogin n\r\n\tpassword p\r\n",
	"machine h user n account a password p\nmachine i password q",
	"default login n password p\nmachine h login x password y\n",
	"machine h login a password b\nmachine h login c password d\n",
	"machine h login \"n m\" password \"p \\\" q\"\n",
	"machine h login n password \"p\"machine i login o password q\n",
	"machine h login n password p\\ q\\\\r\n",
	"machine h login n password #p\n",
	"machine h login n # comment machine x login y\n password p\n",
	"#\nmachine h login n password p #comment\n",
	"machine h login n password p\n# machine x login y password z\n",
	"macdef m\nmachine x login y password z\n\nmachine h login n password p\n",
	"macdef m\n\nmachine h login n password p\n",
	"machine h login n password p\nmacdef m\nbin\n", // does not end
	"machine h\n", "machine", "machine \"\" login n", "macdef", "bogus", "machine h bogus n", "machine h login", "machine h password \"\"\n",
	"machine h login n password päß\n",
	"machine h login n password p\\", "machine h login machine password default\n",
}

// TestNetrcLikePython compares with CPython's module netrc.
func TestNetrcLikePython(t *testing.T) {
	const script = `
import json, netrc, sys, tempfile
answers = []
for text in json.load(sys.stdin):
    with tempfile.NamedTemporaryFile() as f:
        f.write(text.encode())
        f.flush()
        try:
            answers.append({h: [e[0], e[2]] for h, e in netrc.netrc(f.name).hosts.items()})
        except netrc.NetrcParseError:
            answers.append(None)
print(json.dumps(answers))`
	var want []map[string][2]string
	peer.AskPackaging(t, script, netrcs, &want)
	for i, text := range netrcs {
		n, err := parseNetrc(text)
		var got map[string][2]string
		if err == nil {
			got = map[string][2]string{}
			for host, c := range n {
				got[host] = [2]string{c.Username, *c.Password}
			}
		}
		if diff := cmp.Diff(want[i], got); diff != "" {
			t.Errorf("%q: -python +vpk\n%s%v", text, diff, err)
		}
	}
}

func TestNetrcErrorsShowNothing(t *testing.T) {
	for _, text := range []string{"sEcReT", "machine h sEcReT x", "machine h password \"sEcReT"} {
		if _, err := parseNetrc(text); err == nil || strings.Contains(err.Error(), "sEcReT") || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestNetrcComments(t *testing.T) {
	// Where CPython stumbles: its comments are words here.
	n, err := parseNetrc("\n#a b c\nmachine h login n password p\n\n\n# machine x\n")
	if c, ok := n.find("h", ""); err != nil || !ok || *c.Password != "p" || len(n) != 1 {
		t.Errorf("%v, %v", n, err)
	}
}

func FuzzParseNetrc(f *testing.F) {
	for _, text := range netrcs {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseNetrc(text)
		if err != nil {
			return
		}
		// What was read can be written, and is read again.
		var b strings.Builder
		quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
		for host, c := range n {
			word := "machine \"" + quote.Replace(host) + "\""
			b.WriteString(word + " login \"" + quote.Replace(c.Username) + "\" password \"" + quote.Replace(*c.Password) + "\"\n")
		}
		again, err := parseNetrc(b.String())
		if diff := cmp.Diff(n, again); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", b.String(), err, diff)
		}
	})
}
