package layer

import (
	"context"
	"net/http"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"vpk/internal/trace"
)

// tracing is the transport of a push whose requests are recorded; nil where they are not, or cannot be because
// go-containerregistry has wrapped the transport already.
func (r Registry) tracing(ctx context.Context) http.RoundTripper {
	if _, wrapped := r.Transport.(*transport.Wrapper); wrapped || trace.From(ctx) == nil {
		return nil
	}
	if r.Transport == nil {
		return tracingTransport{remote.DefaultTransport}
	}
	return tracingTransport{r.Transport}
}

// tracingTransport records requests by what they are for (distribution specification, "Endpoints"). Of URLs it tells digests and
// tags alone: those of uploads may have tokens.
type tracingTransport struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t tracingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	step, item := trace.Authenticate, req.URL.Host
	bytes := int64(0)
	name := path.Base(req.URL.Path)
	switch mount := req.URL.Query().Get("mount"); {
	case strings.Contains(req.URL.Path, "/manifests/"):
		step, item, bytes = trace.PushManifest, name, max(0, req.ContentLength)
	case req.Method == http.MethodHead && strings.Contains(req.URL.Path, "/blobs/"):
		step, item = trace.CheckBlob, name
	case req.Method == http.MethodPost && mount != "":
		step, item = trace.Mount, mount
	case req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/blobs/uploads/"):
		step, item = trace.UploadSession, ""
	case req.Method == http.MethodPut:
		step, item = trace.UploadSession, req.URL.Query().Get("digest")
	case req.Method == http.MethodPatch:
		step, item, bytes = trace.Upload, "", max(0, req.ContentLength)
		if body, ok := req.Body.(*uploadReader); ok {
			item = body.upload.digest.String()
		}
	}
	span := trace.Start(req.Context(), step, item)
	defer span.End()
	span.Bytes(bytes)
	return t.RoundTripper.RoundTrip(req)
}
