// Package backend knows what build backends make of a project, without running them: which directories its modules are
// imported from, and the metadata that it is installed with. It reads files of the project and runs nothing.
//
// # Source roots
//
// A project that is installed in place stays where it is, and a .pth file names its source roots. They are found by the
// documented rules of the backend that [build-system] names:
//
//   - uv_build: module-root ("src"), module-name, namespace;
//   - hatchling: dev-mode-dirs, else packages, only-include, include with sources, else the default selection (NAME, src/NAME,
//     NAME.py, one NAMESPACE/NAME), of [tool.hatch.build] and its target wheel;
//   - setuptools (also where there is no [build-system], or none that names a backend): packages, packages.find.where,
//     package-dir, py-modules, of pyproject.toml and setup.cfg, else automatic discovery (src, then flat);
//   - poetry-core: packages with from, else NAME, NAME.py or src;
//   - flit-core: the module, in the directory itself or src;
//   - pdm-backend: package-dir, else src or the directory itself.
//
// Other than in a wheel, everything beside a package in its source root can be imported, and data files are there because the
// tree is.
//
// # What can't be
//
// Packages that are renamed on their way into a wheel, compiled modules, files that are generated or installed elsewhere, code
// in setup.py, in-tree and unknown backends: each is a reason of one Unsupported error. The override (Options.Packages) names
// the import packages and modules by their paths, and is believed: what those reasons speak of is not looked at then.
//
// # Metadata
//
// METADATA is made of [project] (PEP 621, PEP 639), in version 2.4 of the format. Without [project] it is made of setup.cfg or
// [tool.poetry]. Dynamic fields are read where that needs no code: the version from an attribute that is a literal, a file or
// a pattern, setuptools' file: entries, the first line of a flit module's docstring; requirements that nobody wrote into
// pyproject.toml are those that the lock recorded. A version of version control comes from Options.Version, or from the variables by
// which setuptools-scm takes it (SETUPTOOLS_SCM_PRETEND_VERSION_FOR_NAME, SETUPTOOLS_SCM_PRETEND_VERSION). Of other dynamic
// fields those that only inform are left out.
//
// Deliberate differences from what backends write:
//
//   - one order of fields, and no fields Dynamic and Platform; requirements, extras and specifiers in normal form;
//   - author and maintainer as PEP 621 says; poetry-core and setuptools' setup.cfg write name and address into two fields,
//     uv_build the name into both and without quotes;
//   - URLs as Project-URL alone; poetry-core and setup.cfg also write Home-page;
//   - no classifiers that [project] or [tool.poetry] does not have; poetry-core adds those of licences and versions of Python;
//   - the files of a licence are those that license-files matches, or by default LICEN[CS]E*, COPYING*, NOTICE*, AUTHORS*; the
//     defaults of backends differ;
//   - a readme that does not exist is no Description.
//
// Not done: PEP 735 groups, which are no metadata; Import-Name (PEP 794); [tool.flit.metadata].
package backend
