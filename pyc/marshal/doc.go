// Package marshal rewrites the marshalled code object of a module to a canonical form, as far as possible the one form of all
// that the interpreter loads to the same objects.
//
// CPython's own output depends on what the process did before. Three things in it are accidents:
//   - which objects are flagged as referenced: by reference counts, which other modules' constants and the interpreter's own
//     objects add to;
//   - the order of a frozenset's elements: by their marshalled bytes, and so by those flags (before 3.11 by their hashes);
//   - whether some strings are interned: those of which the process has one object (one character of Latin-1, the
//     compiler's own names such as <lambda>), and from 3.13 on those that a code object's constructor interns in place.
//
// Identity. Two objects are one when their canonical encodings are equal, type byte included: 1, 1.0, True and -0.0 and 0.0
// stay apart, and so do an interned string and one that is not. A code object and a number that is not a number are one only
// with themselves: what the compiler did not share is not shared.
//
// References. An object that occurs again is written once, with the reference flag, and referred to by its place among the
// flagged objects, in the order in which the reader reserves those places (Python/marshal.c, r_ref_reserve): before the
// parts of it. Never referred to is what is shorter than a reference and of which the interpreter has one object anyway:
// None, True, False, Ellipsis, "", one ASCII character, ().
//
// Frozensets. Elements are sorted by their encoding without references, as CPython 3.11 and later mean to.
//
// Interned strings. The flag of the input counts only where it is a fact of the source and not of the process:
//   - names (co_names, co_varnames and their like) are interned (Objects/codeobject.c, intern_strings);
//   - a string of ASCII letters, digits and underscores is interned among constants, in tuples and frozensets too
//     (intern_constants, all_name_chars), but not in slices; and so it is as co_name;
//   - one character of Latin-1 is interned from 3.13 on, where all of them are from the start; before, only if the rules
//     above say so;
//   - co_name, co_qualname and co_filename: from 3.13 on interned, by the constructor of code objects. In 3.11 and 3.12 the
//     compiler's own names, which begin with "<", are not interned;
//   - from 3.13 on a string that equals the qualified name of a class body, which that body holds among its constants, is interned;
//   - any other string is as it came: the compiler interns identifiers that are not ASCII and never interns what a source
//     spells as a string.
//
// A number that is not a number is written as 0x7ff8000000000000, since the sign of a folded one differs between processors.
//
// The name of the file is left out: Gap says where it belongs, so that one result serves whatever place the module is
// installed to. All code objects of a module must name one file.
//
// Formats. Each CPython minor from 3.9 to 3.14 has its own layout of code objects and its own rules; no other is written, nor
// that of a free-threaded build, which interns all constants. Only what a compiler of that minor can write is read: anything
// else (a list, a text float, another minor's type) is an error with its offset. Objects nest MaxDepth deep at most, memory is
// bounded by a multiple of the input's length.
//
// Not done: code objects are not examined; instructions, tables and the numbers of a code object pass through as they are.
package marshal
