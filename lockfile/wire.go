package lockfile

// The TOML forms of a lock (spec §1). Pointers tell a missing key from an empty one. What is not here is read over, as
// uv does with keys that it does not know.

type lockWire struct {
	Version           *uint32               `toml:"version"`
	Revision          uint32                `toml:"revision"`
	RequiresPython    *string               `toml:"requires-python"`
	ResolutionMarkers []string              `toml:"resolution-markers"`
	SupportedMarkers  []string              `toml:"supported-markers"`
	RequiredMarkers   []string              `toml:"required-markers"`
	Conflicts         [][]map[string]string `toml:"conflicts"`
	Options           optionsWire           `toml:"options"`
	Manifest          manifestWire          `toml:"manifest"`
	Packages          []packageWire         `toml:"package"`
	// Distributions is the name of the key in the first versions of uv.
	Distributions []packageWire `toml:"distribution"`
}

type optionsWire struct {
	ResolutionMode   string `toml:"resolution-mode"`
	PrereleaseMode   string `toml:"prerelease-mode"`
	ForkStrategy     string `toml:"fork-strategy"`
	ExcludeNewer     string `toml:"exclude-newer"`
	ExcludeNewerSpan string `toml:"exclude-newer-span"`
	// ExcludeNewerPackage holds timestamps, tables of a timestamp and a span, and false.
	ExcludeNewerPackage map[string]any `toml:"exclude-newer-package"`
}

type manifestWire struct {
	Members            []string                     `toml:"members"`
	Requirements       []requirementWire            `toml:"requirements"`
	Constraints        []requirementWire            `toml:"constraints"`
	Overrides          []requirementWire            `toml:"overrides"`
	BuildConstraints   []requirementWire            `toml:"build-constraints"`
	Excludes           []string                     `toml:"excludes"`
	DependencyGroups   map[string][]requirementWire `toml:"dependency-groups"`
	DependencyMetadata []dependencyMetadataWire     `toml:"dependency-metadata"`
}

type dependencyMetadataWire struct {
	Name           string   `toml:"name"`
	Version        string   `toml:"version"`
	RequiresDist   []string `toml:"requires-dist"`
	RequiresPython string   `toml:"requires-python"`
	ProvidesExtras []string `toml:"provides-extras"`
	ProvidesExtra  []string `toml:"provides-extra"`
}

type requirementWire struct {
	Name      string            `toml:"name"`
	Extras    []string          `toml:"extras"`
	Groups    []string          `toml:"groups"`
	Marker    string            `toml:"marker"`
	Specifier string            `toml:"specifier"`
	Index     string            `toml:"index"`
	Conflict  map[string]string `toml:"conflict"`

	Git          *string `toml:"git"`
	URL          *string `toml:"url"`
	Subdirectory string  `toml:"subdirectory"`
	Path         *string `toml:"path"`
	Directory    *string `toml:"directory"`
	Editable     *string `toml:"editable"`
	Virtual      *string `toml:"virtual"`
}

type packageWire struct {
	Name                 string                      `toml:"name"`
	Version              *string                     `toml:"version"`
	Source               sourceWire                  `toml:"source"`
	ResolutionMarkers    []string                    `toml:"resolution-markers"`
	Dependencies         []dependencyWire            `toml:"dependencies"`
	OptionalDependencies map[string][]dependencyWire `toml:"optional-dependencies"`
	DevDependencies      map[string][]dependencyWire `toml:"dev-dependencies"`
	DependencyGroups     map[string][]dependencyWire `toml:"dependency-groups"`
	Sdist                *fileWire                   `toml:"sdist"`
	Wheels               []fileWire                  `toml:"wheels"`
	Metadata             metadataWire                `toml:"metadata"`
}

type metadataWire struct {
	RequiresDist     []requirementWire            `toml:"requires-dist"`
	ProvidesExtras   []string                     `toml:"provides-extras"`
	RequiresDev      map[string][]requirementWire `toml:"requires-dev"`
	DependencyGroups map[string][]requirementWire `toml:"dependency-groups"`
}

type dependencyWire struct {
	Name    string      `toml:"name"`
	Version *string     `toml:"version"`
	Source  *sourceWire `toml:"source"`
	Extras  []string    `toml:"extra"`
	Marker  string      `toml:"marker"`
}

type fileWire struct {
	URL      *string `toml:"url"`
	Path     *string `toml:"path"`
	Filename *string `toml:"filename"`
	Hash     *string `toml:"hash"`
	Size     *uint64 `toml:"size"`
}
