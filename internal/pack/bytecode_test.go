package pack

import (
	"strings"
	"testing"
)

func TestEmulationHint(t *testing.T) {
	if hint := emulationHint("arm64", "arm64"); hint != "" {
		t.Errorf("a base of the host's architecture: %q", hint)
	}
	if hint := emulationHint("arm64", "amd64"); !strings.Contains(hint, "for arm64 and this machine is amd64") || !strings.Contains(hint, "--no-bytecode") {
		t.Errorf("a base of another architecture: %q", hint)
	}
}
