package pep440

// Op is a comparison operator of a specifier, as written: "==", "!=", "<=",
// ">=", "<", ">", "~=" or "===".
type Op string

// The operators of PEP 440.
const (
	OpEqual        Op = "=="
	OpNotEqual     Op = "!="
	OpLessEqual    Op = "<="
	OpGreaterEqual Op = ">="
	OpLess         Op = "<"
	OpGreater      Op = ">"
	OpCompatible   Op = "~="
	OpArbitrary    Op = "==="
)

// Specifier is one clause, such as ">=3.11" or "==1.4.*".
type Specifier struct {
	Op      Op
	Version Version
	// Prefix is set for "==V.*" and "!=V.*"; Version is V.
	Prefix bool
	// Text is what follows "===" when it is no version; Version is then zero.
	Text string
}

// Specifiers is a set of clauses that all have to hold. The empty set holds for every version.
type Specifiers []Specifier

// ParseSpecifiers reads a comma-separated set; the empty string is the empty set.
func ParseSpecifiers(s string) (Specifiers, error) { return nil, errIncomplete }

// Contains reports whether v fits every clause, pre-releases allowed.
func (s Specifiers) Contains(v Version) bool { return false }

// Contains reports whether v fits the clause, pre-releases allowed.
func (s Specifier) Contains(v Version) bool { return false }

// String gives the normalised clause, such as ">=3.11" or "==1.4.*".
func (s Specifier) String() string { return "" }

// String gives the clauses joined by commas, sorted by version, then operator.
func (s Specifiers) String() string { return "" }

// Bound is one end of a range of versions.
type Bound struct {
	// Version is the end itself; zero where the range has no end on this side.
	Version Version
	// Inclusive reports whether Version itself is within.
	Inclusive bool
}

// Bounds gives the smallest range that holds every version the set holds; holes
// in between are dropped. ok is false when no version fits.
func (s Specifiers) Bounds() (lower, upper Bound, ok bool) { return Bound{}, Bound{}, false }
