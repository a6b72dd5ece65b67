package config

// DefaultIndex is the index that uv takes packages from where none is configured. Who builds a release sets it with the
// linker; it is empty where it was not.
var DefaultIndex string
