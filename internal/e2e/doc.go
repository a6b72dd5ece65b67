// Package e2e holds the end-to-end tests, and nothing else: they build the program once and use it as its users do, by its
// command line, on real wheels, real base images and with the real programs around it. Nothing here looks inside vpk.
//
// What they stand on. The projects are testdata/fastapi-demo, testdata/hypercorn-demo and some made here; uv locks them when
// the test runs. Locks and wheels stay in VPK_TEST_CACHE; a server on loopback, to which the locks are made to point, hands
// the wheels out, so that each test can begin with an empty cache of vpk's and none depends on an index. Package peer finds
// the base images and the programs; without them a test skips, or fails where everything must be there. With -short nothing
// runs: the program is built without the race detector, so there is nothing for such a run to find.
//
// Rules. Each test has a home, a cache and an environment of its own, unless it says that it shares the warm cache, which
// lives as long as the run. Servers listen on loopback. Containers and images in Docker are named vpk-e2e-... and removed.
// Moments at which a run is interrupted come from a seeded generator, which the log names.
//
// Not done: pulls from public registries, which testdata/demo does; other architectures are packed and not run; engines
// other than Docker.
package e2e
