// Package index knows what lies around package indexes: the credentials that they want, and the mirrors that stand in for
// their files.
//
// # Credentials
//
// Auth gives each request for a file the credentials that uv would give it (crates/uv-auth/src/middleware.rs), so that what
// `uv sync` can download vpk can too, and nobody else learns a password:
//
//   - Those in the URL itself count first.
//   - Credentials of indexes (their URL, or UV_INDEX_NAME_USERNAME and UV_INDEX_NAME_PASSWORD of a named one, which win) and of
//     direct URLs of the project are known from the start. They are sent at once below the index's root, which is its URL
//     less a last /simple or /+simple.
//   - Other requests go without. After 401, 403 and 404 the known credentials of the index whose root is the beginning of the
//     URL are tried, else those of its realm (scheme, host and port); else a search begins: netrc, uv's own file
//     (credentials.toml), and the program keyring where that is configured. What is found is tried once.
//   - An index with authenticate = "always" is never asked without, "never" never with.
//   - Credentials are kept in memory, for the realm and the URL where they were accepted.
//
// A file on another host than its index so gets nothing of the index's. Each redirect is a request of its own.
//
// netrc is read as Python reads it. Of the file that NETRC names and ~/.netrc the first that exists counts; machines are
// hosts without a port. keyring is asked for the URL, then for the host, as pip and uv do: `keyring get URL USER`, which needs
// a user name from one of the other places unless authenticate is "always". It has a minute to answer.
//
// Different from uv, on purpose: an index's root ends at a segment of the path (for uv /team is the beginning of /team-b); of several
// roots the longest counts (with uv, any); authenticate = "never" leaves out the credentials in a URL too.
//
// # Mirrors
//
// A rule says that URLs that begin with From are looked for at To, a URL or a directory. From ends at a segment of the path;
// the longest From decides, and its Tos are tried in order. The rest of the path is appended to To, unless To
// has one of {name}, {version} and {filename}, which are replaced. In a directory the file's name alone will do, so that any heap of
// wheels is a mirror. Of the original URL, user, query and fragment are not sent to mirrors.
//
// Not done: the simple API; credentials for Hugging Face, S3 and Google's storage; the system's keyring (provider "native").
package index
