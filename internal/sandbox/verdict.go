package sandbox

import "vpk/internal/cas"

// verdictKind are the records of what worked. Key: boot, kernel, user, the confinement of this process, engine and root.
var verdictKind = cas.Kind{Name: "sandbox-verdict", Version: 1}

// verdict is such a record.
type verdict struct{ Works bool }

// Kinds are what this package keeps in the cache.
func Kinds() []cas.Registration {
	return []cas.Registration{{Kind: verdictKind, Verify: cas.IsJSON[verdict]}}
}
