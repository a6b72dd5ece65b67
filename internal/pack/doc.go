// Package pack is the whole story of `vpk pack`, and of the commands that share parts of it, told in steps; what a step
// does lives in the rooms.
//
// The order is: read the project and its lock, open the base, select for the base's target, fetch the wheels and make
// their parts and compile the standard library side by side, join the parts, compile bytecode, decide the image's
// configuration, build the layers, put the image together, deliver. The project's own files are compiled beside the environment. A push begins first of all: layers of the
// base, of each wheel that has one of its own, and all others are offered to it as they become known, before the image is there. What can fail for a reason that the user can mend is asked as early as it can be known: a stale
// lock before the network is touched, a command that does not exist before a layer is built.
//
// What a lock says for a target can be looked at before: a Choice is a selection with what the cache has of it, from which come
// the plan, with its warnings, and the tree. It downloads nothing but the facts of a base image, so what only the content
// of wheels tells (two packages with one path) is known once all of them are in the cache. Not warned of: bases
// past their end of life, since their labels do not tell it.
//
// Of an environment that was made once, the cache knows its layers, its programs and what there is to report, under all that
// it follows from: the base, the selection, the settings and the program that made it. Then no wheel is opened and nothing of it
// compiled or planned: not for an unchanged project, nor for one of which only files of its own changed. Should a
// destination lack one of its layers, the environment is made after all.
//
// Places in the image: the environment is /app/.venv. The workspace's root is /app: the files of each project that is packed or
// installed in place are below it as they are below the root, and those of a project outside of the workspace in
// /app/.venv/src/NAME. A single project is a workspace of its own. The project that is packed alone is the working directory.
// What projects bring is in a layer of its own, their metadata and scripts too. Files of dependencies have one
// constant time, whatever SOURCE_DATE_EPOCH says, so that their layer is the same in every build.
//
// The standard library's bytecode is a layer of its own below all others (see standardLibrary): what compileall would compile in
// the base and has no bytecode there, in the bytes that the base's sources and interpreter alone decide over. Directories of
// the base are repeated as the base has them; extended attributes of directories are not.
//
// An image says in its labels how it was made (see labels), and Against makes it again from them. Reproduce makes a project's
// image twice. Both begin with downloads alone: a cache of their own has no more than these in common with the user's. What
// belongs to a process as a whole (umask, environment) differs because the builds are processes of their own, which the
// command line starts. Not done: other sandboxes than the one that is chosen.
//
// Of several platforms each gets an image of its own, in the order of their names, and an index holds them. For a base of a foreign
// architecture compiles what the same reference names for this machine's, if the two interpreters are proven to be one build.
//
// Steps are recorded where the context has a trace.Recorder, each in the room that does it; see internal/trace.
//
// The cache is held, so that nothing is removed from it, for as long as Sources are open; but not while a container runs that Run has started,
// which has all it needs. Caretaker is what looks after a cache: it shows, proves and limits it, of all kinds that the rooms register.
//
// Nothing here reads the environment or the clock of the machine but to measure: both come in as options.
package pack

import "time"

// Places in the image.
const (
	appDir = "/app"
	prefix = "/app/.venv"
)

// dependencyTime is the modification time of what comes from wheels: 1980-01-01, the first that the zip format can hold.
var dependencyTime = time.Unix(315532800, 0).UTC()
