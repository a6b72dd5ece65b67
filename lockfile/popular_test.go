package lockfile_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vpk/internal/peer"
	"vpk/internal/testwheel"
	"vpk/lockfile"
	"vpk/lockfile/pyproject"
	"vpk/wheel/tag"
)

// popular are large public applications, by what a project would depend on. The first two are compared in every run.
var popular = []struct{ name, dependencies string }{
	{"streamlit", `"streamlit"`},
	{"django", `"django", "celery[redis]", "sentry-sdk[django,celery]", "psycopg[binary]", "gunicorn"`},
	{"airflow", `"apache-airflow"`},
	{"jupyterlab", `"jupyterlab"`},
	{"langchain", `"langchain", "langchain-openai", "langgraph"`},
	{"mlflow", `"mlflow"`},
	{"fastapi", `"fastapi[standard]", "sqlalchemy[asyncio]", "alembic", "asyncpg"`},
	{"science", `"scikit-learn", "pandas[performance]", "matplotlib", "xarray", "numba"`},
	{"transformers", `"transformers[torch]", "datasets"`},
	{"tensorflow", `"tensorflow"`},
	{"dask", `"dask[complete]"`},
	{"ray", `"ray[default,serve]"`},
	{"prefect", `"prefect"`},
	{"dagster", `"dagster", "dagster-webserver"`},
	{"gradio", `"gradio"`},
	{"ansible", `"ansible"`},
	{"locust", `"locust", "opentelemetry-distro[otlp]"`},
	{"wagtail", `"wagtail"`},
	{"spacy", `"spacy"`},
	{"cloud", `"boto3", "google-cloud-bigquery", "google-cloud-storage", "azure-storage-blob", "azure-identity"`},
}

var (
	lockedURL  = regexp.MustCompile(`url = "https?://[^"]*/([^/"]*)"`)
	lockedHash = regexp.MustCompile(`, hash = "[a-z0-9]+:[0-9a-f]+"`)
)

// fakeWheels serves a wheel for every file name that is one: empty but for what proves which it is.
func fakeWheels(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		f, err := tag.ParseFilename(name)
		if err != nil {
			http.NotFound(w, r) // a source distribution
			return
		}
		tags := fmt.Sprintf("%s-%s-%s", strings.Join(f.Pythons, "."), strings.Join(f.ABIs, "."), strings.Join(f.Platforms, "."))
		wheel := testwheel.New(f.Name, f.Version).Tags(tags).Build(string(f.Build)).File("chosen/"+name, "")
		_, _ = w.Write(wheel.Bytes())
	}))
	t.Cleanup(s.Close)
	return s
}

// TestPopularLikeUV has uv lock large public applications over the machine's index, and compares selections file by file.
// uv then gets the lock with other addresses and without hashes, and installs empty wheels of the same names.
func TestPopularLikeUV(t *testing.T) {
	uv := newOracle(t)
	wheels := fakeWheels(t)
	apps := popular
	selections := []selectCase{
		{target: testTarget("3.11.2", tag.X8664)}, {target: testTarget("3.12.1", tag.AArch64)}, {target: testTarget("3.13.0", tag.X8664)},
		{target: testTarget("3.10.9", tag.AArch64)},
	}
	selections[1].target.Glibc.Minor = 28
	selections[2].target.Glibc.Minor = 40
	if !peer.InFull() {
		apps, selections = popular[:2], selections[:2]
	}
	var sum tally
	locked, packages := 0, 0
	for _, app := range apps {
		t.Run(app.name, func(t *testing.T) {
			p, without := lockPopular(t, uv, wheels.URL, app.name, app.dependencies)
			locked++
			packages += len(p.lock.Packages)
			p.checkFresh(t)
			for _, c := range selections {
				c.flags = without
				p.compare(t, uv, c, &sum)
			}
			t.Logf("%d packages, %d of them without wheels", len(p.lock.Packages), len(without)/2)
		})
	}
	t.Logf("%d applications with %d packages: %d selections agree file by file, %d are refused by both, %d differ",
		locked, packages, sum.agree, sum.refused, sum.differ+sum.twice)
	if sum.agree < locked {
		t.Errorf("only %d selections of %d applications could be compared", sum.agree, locked)
	}
}

// lockPopular locks an application, and leaves beside its pyproject.toml the lock that leads to the wheels at a URL. The
// flags leave out packages that have no wheel at all, so that the rest can be compared.
func lockPopular(t *testing.T, uv *oracle, wheels, name, dependencies string) (p suiteProject, without []string) {
	t.Helper()
	manifest := []byte("[project]\nname = \"the-application\"\nversion = \"0\"\nrequires-python = \">=3.10,<3.14\"\n" +
		"dependencies = [" + dependencies + "]\n")
	p = suiteProject{name: name, dir: lockedProject(t, uv, manifest)}
	path := filepath.Join(p.dir, "uv.lock")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if p.lock, err = lockfile.Parse(data, "uv.lock"); err != nil {
		t.Fatal(err)
	}
	if p.project, err = pyproject.Read(manifest, "pyproject.toml"); err != nil {
		t.Fatal(err)
	}
	data = lockedURL.ReplaceAll(data, []byte(`url = "`+wheels+`/$1"`))
	if err := os.WriteFile(path, lockedHash.ReplaceAll(data, nil), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, pkg := range p.lock.Packages {
		if len(pkg.Wheels) == 0 && !pkg.Source.IsTree() {
			without = append(without, "--no-install-package", pkg.Name)
		}
	}
	return p, without
}
