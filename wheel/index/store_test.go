package index

import (
	"net/url"
	"strings"
	"testing"
)

func TestStore(t *testing.T) {
	s, err := parseStore([]byte(`
[[credential]]
service = "index.example"
username = "top"
password = "p"

[[credential]]
service = "https://index.example/team/"
username = "team"
password = "q"

[[credential]]
service = "https://index.example/token"
scheme = "bearer"
token = "t"

[[credential]]
service = "https://index.example/two"
username = "a"
password = "1"

[[credential]]
service = "https://index.example/two"
username = "b"
password = "2"
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ url, username, want string }{
		{"https://index.example/x", "", "top:p"},
		{"https://INDEX.example:443/x", "", "top:p"},
		{"https://index.example/team/x", "", "team:q"},
		{"https://index.example/team-b/x", "", "top:p"},
		{"https://index.example/team/x", "top", "top:p"},
		{"https://index.example/team/x", "other", ""},
		{"https://index.example/token/x", "", "token t"},
		{"https://index.example/two/x", "", ""},
		{"https://index.example/two/x", "b", "b:2"},
		{"http://index.example/x", "", ""},
		{"https://index.example:444/x", "", ""},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		c, ok := s.find(u, tt.username)
		got := ""
		if c.Token != "" {
			got = "token " + c.Token
		} else if ok {
			got = c.Username + ":" + *c.Password
		}
		if got != tt.want {
			t.Errorf("%s as %q: %q, want %q", tt.url, tt.username, got, tt.want)
		}
	}
}

func TestStoreErrorsShowNothing(t *testing.T) {
	for _, text := range []string{
		"[[credential]]\nservice = \"ftp://sEcReT\"\nusername = \"a\"",
		"[[credential]]\nservice = \"http://sEcReT.example\"\nusername = \"a\"\npassword = \"b\"",
		"[[credential]]\nservice = \"a.example\"\npassword = \"sEcReT\"",
		"[[credential]]\nservice = \"a.example\"\nusername = \"u\"\npassword = \"sEcReT\"\ntoken = \"sEcReT\"",
		"[[credential]]\nservice = \"a.example\"\nscheme = \"bearer\"\npassword = \"sEcReT\"",
		"[[credential]]\nservice = \"a.example\"\nscheme = \"sEcReT\"",
		"[[credential]]\npassword = sEcReT\n",
		"[[credential]]\npassword = [\"sEcReT\"]\n",
		"credential = \"sEcReT\"\n",
	} {
		if _, err := parseStore([]byte(text)); err == nil || strings.Contains(err.Error(), "sEcReT") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseStore(f *testing.F) {
	f.Add("[[credential]]\nservice = \"a.example\"\nusername = \"u\"\npassword = \"p\"\n")
	f.Add("[[credential]]\nservice = \"https://a.example/b\"\nscheme = \"bearer\"\ntoken = \"t\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseStore([]byte(text))
		if err != nil {
			return
		}
		for _, e := range s {
			if e.IsZero() || e.service.User != nil {
				t.Errorf("%q: %q", text, e.service)
			}
			// What is there alone is found for its own service.
			if _, ok := (store{e}).find(e.service, e.Username); !ok {
				t.Errorf("%q: %q is not found", text, e.service)
			}
		}
	})
}
