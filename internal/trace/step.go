package trace

// Step is a kind of work. There are no others than those below.
type Step string

// The steps, about in the order of a run. What one counts as bytes is said where it counts any.
const (
	// Startup is from the start of the process until the command line is understood. What comes before main is taken to have
	// lasted as long as the processor time that it took.
	Startup Step = "start"
	// ReadProject reads pyproject.toml, uv.lock and the settings of uv.
	ReadProject Step = "read project"
	// OpenCache opens the cache, and reads what connections need: certificates and credentials.
	OpenCache Step = "open cache"
	// CheckLock compares the lock with the project.
	CheckLock Step = "check lock"
	// ResolveBase finds the manifest and the config of a base image.
	ResolveBase Step = "resolve base"
	// DownloadBase brings a layer of a base into the cache. Bytes: of the blob.
	DownloadBase Step = "download base"
	// IndexBase lists what is in a layer of a base (bytes: of the blob), puts the lists together, or reads the result of before.
	IndexBase Step = "index base"
	// UnpackBase unpacks a layer of an image. Bytes: of the blob.
	UnpackBase Step = "unpack base"
	// CheckBase compares what the interpreter loads of an unpacked root with the index. Bytes: of the files.
	CheckBase Step = "check base"
	// Select chooses packages and wheels for the target.
	Select Step = "select"
	// ReadFiles finds and hashes a project's own files. Bytes: of the files.
	ReadFiles Step = "read files"
	// Download brings a wheel from the network, or from where it is on this machine, and verifies its hash. Bytes: received.
	Download Step = "download"
	// Index inflates every member of a wheel and proves it. Bytes: inflated.
	Index Step = "index"
	// Store writes into the cache, and to the disk, what was made or downloaded: wheels and bytecode. Bytes: written.
	Store Step = "store"
	// LookUp reads from the cache what was made before. Bytes: read, of bytecode.
	LookUp Step = "look up"
	// Install plans where the files of a wheel go.
	Install Step = "install"
	// TrySandbox finds out whether a sandbox works.
	TrySandbox Step = "try sandbox"
	// StartSandbox starts a program in a sandbox.
	StartSandbox Step = "start sandbox"
	// StartInterpreter is from there until the interpreter answers; or asks an interpreter of this machine what it is.
	StartInterpreter Step = "start interpreter"
	// ProveInterpreter compares what an interpreter says of itself with the base's files.
	ProveInterpreter Step = "prove interpreter"
	// Compile compiles a slice of a part's modules in one process. Bytes: of the sources.
	Compile Step = "compile"
	// Canonicalise brings the bytecode of a slice into canonical form. Bytes: of the bytecode.
	Canonicalise Step = "canonicalise"
	// StopInterpreter waits for the ends of the processes that compile.
	StopInterpreter Step = "stop interpreter"
	// Join puts the parts of the environment together.
	Join Step = "join"
	// Compress makes the segment that a part becomes. Bytes: of the tar.
	Compress Step = "compress"
	// Hash makes digest and DiffID of a layer. Bytes: of the tar, from where it was not known.
	Hash Step = "hash"
	// Assemble makes config and manifest of the image.
	Assemble Step = "assemble"
	// Authenticate asks a registry how to talk to it, and for tokens.
	Authenticate Step = "authenticate"
	// CheckBlob asks whether a blob is there already.
	CheckBlob Step = "check blob"
	// Mount asks a registry to take a blob from another repository of its own.
	Mount Step = "mount"
	// UploadSession opens and closes an upload.
	UploadSession Step = "upload session"
	// Upload sends a blob. Bytes: of the blob.
	Upload Step = "upload"
	// PushManifest sends a manifest or an index, or asks for the one that is there. Bytes: sent.
	PushManifest Step = "push manifest"
	// Write writes a blob to a layout, an archive or an engine, or files to a directory. Bytes: written, of blobs.
	Write Step = "write"
	// Sync waits until a file that was delivered is on the disk.
	Sync Step = "sync"
	// Load waits for an engine that got everything.
	Load Step = "load"
	// Pack is a whole build in a process of its own, of which nothing else is recorded.
	Pack Step = "pack"
	// Compare looks for differences between two images.
	Compare Step = "compare"
	// Run is the program that `vpk run` starts.
	Run Step = "run"
)
