package wheel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"vpk/internal/fault"
	"vpk/internal/trace"
	"vpk/venv/tree"
)

// Ceilings of an archive; see the package comment.
const (
	maxArchive  = 8 << 30
	maxMember   = 8 << 30
	maxInflated = 32 << 30
	maxMembers  = 500_000
	// maxDirectory keeps the headers of an archive in memory.
	maxDirectory = 256 << 20
	// freeInflated is how much any archive may hold; beyond it maxRatio counts.
	freeInflated = 256 << 20
	maxRatio     = 100
)

// maxProblems is how many members an error names.
const maxProblems = 20

// Index is what is known of a wheel's members, all proved by reading them.
type Index struct {
	// ArchiveSize is the size of the wheel itself in bytes.
	ArchiveSize int64
	// Members are the regular files, sorted by name, each once.
	Members []Info
}

// Info is what is known of one member.
type Info struct {
	Name       string
	Executable bool
	// Deflated tells whether the member is compressed (method 8) or stored as it is (method 0).
	Deflated bool
	// Offset is where its data begins in the archive, Compressed how many bytes it has there, Size how many it is.
	Offset, Compressed, Size int64
	CRC32                    uint32
	SHA256                   tree.Digest
	// LastBlock and End are positions in the compressed data, in bits from its beginning: where the header of the last
	// deflate block is, and where that block ends, which is in the last byte. End is 0 where that is not known: for
	// stored members, those below 16 KiB, and those with bytes after the last block. See spec containers §5.
	LastBlock, End int64
	// ELF is what the member says of the libraries it needs, nil where it is no ELF file.
	ELF *ELF
}

// problem is what is wrong with a member.
type problem struct {
	name string
	err  error
}

// indexing is the pass over one archive.
type indexing struct {
	archive io.ReaderAt
	size    int64
	// slots limits how many members are inflated at once, over all archives.
	slots *semaphore.Weighted
	// scratch makes a file for an ELF member; the pass removes it.
	scratch func() (*os.File, error)
	span    *trace.Span
}

// run reads an archive once, whole, and proves it. The error of a bad archive has the kind fault.Integrity and names
// what is wrong, every member at once, but not the archive.
func (x *indexing) run(ctx context.Context) (*Index, error) {
	began := x.span.Work()
	headers, problems, err := x.layout()
	x.span.Rest(began)
	if disk := (*diskError)(nil); errors.As(err, &disk) {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	if err != nil {
		return nil, damaged(err)
	}
	if len(problems) > 0 {
		return nil, problemsError(problems)
	}
	infos, problems, err := x.prove(ctx, headers)
	if err != nil {
		return nil, err
	}
	began = x.span.Work()
	defer func() { x.span.Rest(began) }()
	index := &Index{ArchiveSize: x.size}
	var dirs []string
	for i, h := range headers {
		if h.isDir() {
			dirs = append(dirs, strings.TrimSuffix(h.name, "/"))
		} else if infos[i].Name != "" {
			index.Members = append(index.Members, infos[i])
		}
	}
	members, twice := mergeTwice(index.Members)
	problems = append(problems, twice...)
	problems = append(problems, checkClashes(members, dirs)...)
	if len(problems) > 0 {
		return nil, problemsError(problems)
	}
	index.Members = members
	return index, nil
}

// layout reads all headers and finds what can be found without inflating. The offsets of the result are those of the
// data.
func (x *indexing) layout() ([]header, []problem, error) {
	if x.size > maxArchive {
		return nil, nil, fmt.Errorf("it has %d bytes, at most %d are accepted", x.size, int64(maxArchive))
	}
	headers, start, err := readDirectory(x.archive, x.size)
	if err != nil {
		return nil, nil, err
	}
	type span struct {
		name       string
		start, end int64
	}
	var problems []problem
	var total int64
	spans := make([]span, 0, len(headers))
	for i := range headers {
		h := &headers[i]
		if err := checkHeader(h); err != nil {
			problems = append(problems, problem{h.name, err})
			continue
		}
		data, end, err := checkLocal(x.archive, h, start)
		if disk := (*diskError)(nil); errors.As(err, &disk) {
			return nil, nil, err
		}
		if err != nil {
			problems = append(problems, problem{h.name, err})
			continue
		}
		spans = append(spans, span{h.name, h.offset, end})
		h.offset = data
		total += h.size
	}
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end), cmp.Compare(a.name, b.name))
	})
	for i := 1; i < len(spans); i++ {
		if spans[i].start < spans[i-1].end {
			problems = append(problems, problem{spans[i].name, fmt.Errorf("it overlaps %q", spans[i-1].name)})
		}
	}
	if total > maxInflated || total > freeInflated && total/maxRatio > x.size {
		return nil, problems, fmt.Errorf("it claims to hold %d bytes in an archive of %d, which is more than vpk accepts", total, x.size)
	}
	return headers, problems, nil
}

// checkHeader proves what the central directory alone can tell of a member.
func checkHeader(h *header) error {
	if err := checkName(h.name); err != nil {
		return err
	}
	switch {
	case h.flags&(flagEncrypted|flagStrong|flagMasked) != 0:
		return errors.New("it is encrypted")
	case h.flags&flagPatch != 0:
		return errors.New("it is a patch")
	case h.method != methodStored && h.method != methodDeflate:
		return fmt.Errorf("compression method %d (%s) is not supported, only stored and deflate are", h.method, methodName(h.method))
	case h.method == methodStored && h.compressed != h.size:
		return errors.New("it is stored and has two sizes")
	case h.size > maxMember:
		return fmt.Errorf("it claims %d bytes, at most %d are accepted", h.size, int64(maxMember))
	case h.isDir() && h.size != 0:
		return errors.New("it is a directory with content")
	}
	return nil
}

// prove inflates all members side by side, the large ones first. Only an error of the machine or the context is an
// error; what is wrong with members is returned in order.
func (x *indexing) prove(ctx context.Context, headers []header) ([]Info, []problem, error) {
	order := make([]int, len(headers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(headers[b].size, headers[a].size) })
	infos := make([]Info, len(headers))
	errs := make([]error, len(headers))
	group, groupCtx := errgroup.WithContext(ctx)
	for _, i := range order {
		if x.slots.Acquire(groupCtx, 1) != nil {
			break // Wait or ctx knows why
		}
		group.Go(func() error {
			defer x.slots.Release(1)
			began := x.span.Work()
			info, err := x.proveMember(groupCtx, &headers[i])
			x.span.Rest(began)
			x.span.Bytes(info.Size)
			if bad := (*memberError)(nil); errors.As(err, &bad) {
				errs[i] = bad
				return nil
			}
			infos[i] = info
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	var problems []problem
	for i, err := range errs {
		if err != nil {
			problems = append(problems, problem{headers[i].name, err})
		}
	}
	return infos, problems, nil
}

// mergeTwice sorts members by name. Those that come twice and are the same are kept once.
func mergeTwice(members []Info) ([]Info, []problem) {
	slices.SortStableFunc(members, func(a, b Info) int { return cmp.Compare(a.Name, b.Name) })
	var problems []problem
	kept := members[:0]
	for _, m := range members {
		if n := len(kept); n > 0 && kept[n-1].Name == m.Name {
			if kept[n-1].SHA256 != m.SHA256 || kept[n-1].Executable != m.Executable {
				problems = append(problems, problem{m.Name, errors.New("it is there twice, with different content or mode")})
			}
			continue
		}
		kept = append(kept, m)
	}
	return kept, problems
}

// problemsError names what is wrong with members: sorted, each once, and not endlessly many.
func problemsError(problems []problem) error {
	lines := make([]string, 0, len(problems))
	for _, p := range problems {
		lines = append(lines, fmt.Sprintf("member %q: %s", p.name, p.err))
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	if more := len(lines) - maxProblems; more > 0 {
		lines = append(lines[:maxProblems], fmt.Sprintf("and %d more members", more))
	}
	return damaged(errors.New(strings.Join(lines, "\n")))
}

// damaged classifies what is wrong with an archive.
func damaged(err error) error {
	return fault.Wrap(fault.Integrity, "the archive is damaged or was made to deceive; pin another release, or tell whoever publishes it", err)
}
