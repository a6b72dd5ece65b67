package index

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os/exec"
	"strings"
	"time"

	"vpk/internal/progress"
	"vpk/internal/transport"
)

// keyringTimeout is how long keyring may take: it may have to ask a person.
const keyringTimeout = time.Minute

// keyring is the program of that name (crates/uv-auth/src/keyring.rs).
type keyring struct {
	program  string
	progress progress.Reporter
}

// find asks for the URL, then for its host, then for host and scheme.
func (k *keyring) find(ctx context.Context, service *url.URL, username string) (Credentials, bool) {
	names := []string{service.String(), service.Host}
	if service.Scheme != "https" {
		names = append(names, service.Scheme+"://"+service.Host)
	}
	for _, name := range names {
		if c, err := k.ask(ctx, name, username); err == nil {
			return c, true
		} else if errors.Is(err, exec.ErrNotFound) || ctx.Err() != nil {
			k.progress.Note("keyring is configured (keyring-provider) and cannot be started: %v", err)
			break
		} else {
			k.progress.Detail("keyring has nothing for %s: %v", transport.Redact(name), err)
		}
	}
	return Credentials{}, false
}

// ask runs `keyring get NAME USER`, which prints a password, or without a user `keyring get NAME --mode creds`, which prints both
// on two lines. What it says on stderr is its own, and not shown.
func (k *keyring) ask(ctx context.Context, name, username string) (Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, keyringTimeout)
	defer cancel()
	args := []string{"get", name, username}
	if username == "" {
		args = []string{"get", name, "--mode", "creds"}
	}
	cmd := exec.CommandContext(ctx, k.program, args...)
	cmd.WaitDelay = time.Second // for children that keep the pipe open
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return Credentials{}, err
	}
	if username != "" {
		return Basic(username, strings.TrimRight(out.String(), " \t\r\n")), nil
	}
	username, rest, ok := strings.Cut(out.String(), "\n")
	password, _, _ := strings.Cut(rest, "\n")
	if !ok || rest == "" {
		return Credentials{}, errors.New("it gave no user name and password")
	}
	return Basic(strings.TrimRight(username, "\r"), strings.TrimRight(password, "\r")), nil
}
