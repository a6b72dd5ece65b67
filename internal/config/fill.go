package config

import "reflect"

// own are the keys that speak of the project that they are written for, and of no other.
var own = []string{"Package", "Packages", "Version", "Include", "Exclude"}

// Fill is f with the keys that it lacks taken from the table of the workspace's root, key by key: a table such as env is one key.
// The keys that speak of one project alone (package, packages, version, include, exclude) are not taken.
func (f File) Fill(root File) File {
	for _, name := range own {
		reflect.ValueOf(&root).Elem().FieldByName(name).SetZero()
	}
	into, from := reflect.ValueOf(&f).Elem(), reflect.ValueOf(root)
	for i := range into.NumField() {
		if into.Field(i).IsZero() {
			into.Field(i).Set(from.Field(i))
		}
	}
	return f
}
