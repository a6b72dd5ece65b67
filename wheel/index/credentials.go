package index

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// Credentials are a user name and a password, or a token. The zero value is none.
type Credentials struct {
	Username string
	// Password is nil where there is none, which is not an empty one.
	Password *string
	// Token is a bearer token; then there is neither name nor password.
	Token string
}

// Basic makes credentials of a user name and a password.
func Basic(username, password string) Credentials {
	return Credentials{Username: username, Password: &password}
}

// String keeps them out of logs.
func (c Credentials) String() string { return "(credentials)" }

// GoString implements fmt.GoStringer.
func (c Credentials) GoString() string { return c.String() }

// IsZero tells whether there are none.
func (c Credentials) IsZero() bool { return c == Credentials{} }

// complete tells credentials that can be sent with a hope of being accepted: more than a name.
func (c Credentials) complete() bool { return c.Password != nil || c.Token != "" }

// set puts them into a request.
func (c Credentials) set(req *http.Request) {
	value := "Bearer " + c.Token
	if c.Token == "" {
		password := ""
		if c.Password != nil {
			password = *c.Password
		}
		value = "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+password))
	}
	req.Header.Set("Authorization", value)
}

// ofUser reads the user of a URL.
func ofUser(user *url.Userinfo) Credentials {
	if user == nil {
		return Credentials{}
	}
	c := Credentials{Username: user.Username()}
	if password, ok := user.Password(); ok {
		c.Password = &password
	}
	return c
}

// realm is what credentials are bound to: scheme, host and port.
func realm(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	if port := u.Port(); port != "" && !(u.Scheme == "https" && port == "443") && !(u.Scheme == "http" && port == "80") {
		host += ":" + port
	}
	return u.Scheme + "://" + host
}

// segments are the parts of a URL's path, escaped as they are, without the empty ones.
func segments(u *url.URL) []string {
	return strings.FieldsFunc(u.EscapedPath(), func(r rune) bool { return r == '/' })
}

// bare is a URL without user, query and fragment.
func bare(u *url.URL) *url.URL {
	c := *u
	c.User, c.RawQuery, c.ForceQuery, c.Fragment, c.RawFragment = nil, "", false, "", ""
	return &c
}
