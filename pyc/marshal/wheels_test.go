package marshal

import (
	"slices"
	"testing"

	"vpk/internal/peer"
)

// wheels are what the canonical form is proven on: science, the web, tools, modules with every kind of constant.
var wheels = []string{
	"fastapi==0.136.1", "narwhals==2.0.0",
	"aiohttp==3.11.11", "attrs==24.3.0", "black==24.10.0", "botocore==1.35.99", "click==8.1.8", "dask==2024.12.1", "Django==5.1.5",
	"docutils==0.21.2", "Flask==3.1.0", "httpx==0.28.1", "hypothesis==6.123.17", "jedi==0.19.2", "Jinja2==3.1.5", "matplotlib==3.10.0",
	"networkx==3.4.2", "numpy==1.26.4", "pandas==2.2.3", "pillow==11.1.0", "pip==24.3.1", "polars==1.20.0", "pydantic==2.10.5",
	"pygments==2.19.1", "pytest==8.3.4", "rich==13.9.4", "scikit-learn==1.5.2", "scipy==1.15.1", "setuptools==75.8.0", "SQLAlchemy==2.0.37",
	"sympy==1.13.3", "tornado==6.4.2", "xarray==2025.1.1",
}

// TestWheels walks what the modules of real wheels are loaded to: of 3.11 all of them, of the other minors every tenth.
func TestWheels(t *testing.T) {
	requirements := wheels
	if !peer.InFull() {
		requirements = wheels[:2]
	}
	total := map[string]int{}
	for _, requirement := range requirements {
		sources := wheelModules(t, requirement)
		for _, minor := range peer.CPythons {
			t.Run(requirement+" "+minor, func(t *testing.T) {
				some := sources
				if minor != "3.11" {
					some = slices.DeleteFunc(slices.Clone(sources), func(s source) bool { return len(s.text)%10 != 3 })
				}
				for name, n := range sameObjects(t, minor, some, compiled(t, minor, "0", "fresh", some)) {
					total[minor+" "+name] += n
				}
			})
		}
	}
	t.Logf("in all: %v", total)
}
