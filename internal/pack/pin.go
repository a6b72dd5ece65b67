package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"vpk/internal/config"
	"vpk/internal/fault"
	"vpk/layer/base"
)

// PinBase writes the digest that the base image has now into [tool.vpk] of pyproject.toml and returns the pinned reference.
// Nothing else in the file changes.
func PinBase(ctx context.Context, s *Sources, o Options) (string, error) {
	ref, err := o.baseRef()
	if err != nil {
		return "", err
	}
	b, err := base.Open(ctx, ref.Unpinned(), s.baseOptions(o.Arch))
	if err != nil {
		return "", err
	}
	// As the user wrote it, with another digest: a relative path stays relative.
	written, err := base.ParseRef(o.Base)
	if err != nil {
		return "", err
	}
	pinned, err := b.Pin()
	if err != nil {
		return "", err
	}
	_, digest, _ := strings.Cut(pinned.String(), "@")
	text := written.Unpinned().String() + "@" + digest
	file := o.Project.pinned()
	name := file.manifest.Filename
	data := setBase(file.manifest.Data, text)
	if err = sameBut(file.config, data, name, text); err == nil {
		err = replaceFile(name, data)
	}
	if err != nil {
		return "", fmt.Errorf("write base into %q: %w", name, err)
	}
	return text, nil
}

var (
	tablePattern = regexp.MustCompile(`(?m)^[ \t]*\[[ \t]*tool[ \t]*\.[ \t]*vpk[ \t]*\][^\n]*(?:\n|\z)`)
	headPattern  = regexp.MustCompile(`(?m)^[ \t]*\[`)
	basePattern  = regexp.MustCompile(`(?m)^([ \t]*base[ \t]*=[ \t]*)(?:"[^"\n]*"|'[^'\n]*')`)
)

// setBase is the text of a pyproject.toml with base set in [tool.vpk], which is added if it is missing.
func setBase(data []byte, value string) []byte {
	quoted := strconv.Quote(value)
	if len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
		data = append(bytes.Clone(data), '\n')
	}
	table := tablePattern.FindIndex(data)
	if table == nil {
		return fmt.Appendf(bytes.Clone(data), "\n[tool.vpk]\nbase = %s\n", quoted)
	}
	end := len(data)
	if next := headPattern.FindIndex(data[table[1]:]); next != nil {
		end = table[1] + next[0]
	}
	body := data[table[1]:end]
	var changed []byte
	if at := basePattern.FindSubmatchIndex(body); at != nil {
		changed = append(append(append(changed, body[:at[3]]...), quoted...), body[at[1]:]...)
	} else {
		changed = fmt.Appendf(changed, "base = %s\n%s", quoted, body)
	}
	return bytes.Join([][]byte{data[:table[1]], changed, data[end:]}, nil)
}

// sameBut proves that only base is different in the new text: the edit is made on text, and TOML has many ways to write a table.
func sameBut(before config.File, data []byte, name, value string) error {
	refuse := fault.New(fault.Usage, fmt.Sprintf("write it yourself: base = %q", value), "[tool.vpk] is written in a way that cannot be edited here")
	after, err := config.Read(data, name)
	if err != nil || after.Base != value {
		return refuse // err is about a text that nobody gets to see
	}
	after.Base = before.Base
	if fmt.Sprintf("%#v", after) != fmt.Sprintf("%#v", before) {
		return refuse
	}
	return nil
}

// replaceFile replaces a file by rename, keeping its mode, and a link to it.
func replaceFile(name string, data []byte) (err error) {
	if name, err = filepath.EvalSymlinks(name); err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".vpk-*")
	if err != nil {
		return fault.Wrap(fault.Delivery, "", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
