package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// freshProgress is how many bytes make a failure unlike the one before: a large file over a bad line may fail more
// often than Retries as long as it advances.
const freshProgress = 1 << 20

// Body is the content of one URL, read as if the connection never broke. It is not safe for concurrent use.
type Body struct {
	client *Client
	url    string
	// request carries the context of Client.Body and is cloned for each connection.
	request *http.Request

	stream    io.ReadCloser // of the connection under way, nil between two
	offset    int64         // how much was handed to the reader
	size      int64         // of the whole file, -1 if not known
	validator string        // for If-Range: a strong ETag or a date
	received  int64

	held         bool  // a slot of the client's
	noRange      bool  // the server misunderstood Range
	resumed      bool  // some bytes come from a second connection
	failures     int   // since the last fresh progress
	failedOffset int64 // where the last failure was
	tries        int
	err          error // final
}

// Body starts to download a file with GET. The context governs the whole download. The error has the kind
// fault.Network, or is the context's.
func (c *Client) Body(ctx context.Context, rawURL string) (*Body, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		// The error of url.Parse repeats the URL with its password.
		return nil, failure(rawURL, 1, errors.New("the URL is malformed"))
	}
	req.Header.Set("Accept-Encoding", "identity")
	b := &Body{client: c, url: rawURL, request: req, size: -1}
	if err := c.slots.Acquire(ctx, 1); err != nil {
		return nil, b.fail(err)
	}
	b.held = true
	if err := b.connect(); err != nil {
		return nil, b.fail(err)
	}
	return b, nil
}

// Size is the size of the file in bytes as the server announced it, -1 if it did not.
func (b *Body) Size() int64 { return b.size }

// Received is the number of body bytes that came over the network, those that were thrown away included.
func (b *Body) Received() int64 { return b.received }

// Resumed tells whether the content was put together from several answers.
func (b *Body) Resumed() bool { return b.resumed }

// Read implements io.Reader. Its errors other than io.EOF are final: everything was tried.
func (b *Body) Read(p []byte) (int, error) {
	for {
		if b.err != nil {
			return 0, b.err
		}
		if b.stream == nil {
			if err := b.connect(); err != nil {
				return 0, b.fail(err)
			}
		}
		n, err := b.stream.Read(p)
		b.offset += int64(n)
		b.received += int64(n)
		switch {
		case err == io.EOF:
			b.err = io.EOF
			b.release()
			return n, io.EOF
		case err != nil:
			if err := b.interrupted(err); err != nil {
				return n, b.fail(err)
			}
		}
		if n > 0 {
			return n, nil
		}
	}
}

// Close ends the download.
func (b *Body) Close() error {
	if b.err == nil {
		b.err = errors.New("read after close")
	}
	b.release()
	return b.disconnect()
}

// release makes room for another body.
func (b *Body) release() {
	if b.held {
		b.held = false
		b.client.slots.Release(1)
	}
}

func (b *Body) disconnect() error {
	if b.stream == nil {
		return nil
	}
	err := b.stream.Close()
	b.stream = nil
	return err
}

// fail makes an error final. An interrupted context stays what it is.
func (b *Body) fail(err error) error {
	_ = b.disconnect()
	b.release()
	if ctxErr := b.request.Context().Err(); ctxErr != nil {
		b.err = fmt.Errorf("download %q: %w", Redact(b.url), ctxErr)
	} else {
		b.err = failure(b.url, b.tries, err)
	}
	return b.err
}

// interrupted decides whether a broken stream is worth another connection and, if so, waits for the time to make it.
func (b *Body) interrupted(cause error) error {
	_ = b.disconnect()
	if err := b.request.Context().Err(); err != nil {
		return err
	}
	if b.offset-b.failedOffset >= freshProgress {
		b.failures = 0
	}
	b.failedOffset = b.offset
	if b.failures++; b.failures > b.client.opts.Retries {
		if errors.Is(cause, io.ErrUnexpectedEOF) && b.size >= 0 {
			return fmt.Errorf("the connection ended after %d of %d bytes", b.offset, b.size)
		}
		return fmt.Errorf("the connection broke after %d bytes: %w", b.offset, cause)
	}
	wait := time.NewTimer(backoff(b.client.opts.RetryWait, maxWaitFactor*b.client.opts.RetryWait, b.failures-1, nil))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-b.request.Context().Done():
		return b.request.Context().Err()
	}
}

// connect opens a stream that continues at the offset.
func (b *Body) connect() error {
	for {
		resp, err := b.ask()
		if err != nil {
			return err
		}
		skip, err := b.accept(resp)
		if err == nil {
			b.stream = resp.Body
			err = b.skip(skip)
			if err == nil {
				return nil
			}
		} else {
			_ = resp.Body.Close()
			var status *StatusError
			if errors.As(err, &status) && (status.Code != http.StatusRequestedRangeNotSatisfiable || b.noRange) {
				return err
			}
			b.noRange = true
		}
		if err := b.interrupted(err); err != nil {
			return err
		}
	}
}

// ask sends the request and waits for headers, again and again as the library sees fit.
func (b *Body) ask() (*http.Response, error) {
	req := b.request.Clone(b.request.Context())
	if b.offset > 0 && !b.noRange {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", b.offset))
		if b.validator != "" {
			req.Header.Set("If-Range", b.validator)
		}
	}
	retryable, err := retryablehttp.FromRequest(req)
	if err != nil {
		return nil, err
	}
	resp, err := b.client.retrying(&b.tries).Do(retryable)
	if err != nil && resp != nil {
		_ = resp.Body.Close()
	}
	return resp, err
}

// accept reads the headers of an answer: whether it is the file, and how many of its bytes are already known. A server
// is free to ignore Range, and does so when the file is another one by now; then the hash of the caller will tell.
func (b *Body) accept(resp *http.Response) (skip int64, err error) {
	switch resp.StatusCode {
	case http.StatusOK:
		if b.offset == 0 {
			b.size = resp.ContentLength
			b.validator = validator(resp.Header)
		}
		b.resumed = b.offset > 0
		return b.offset, nil
	case http.StatusPartialContent:
		from, ok := rangeStart(resp.Header.Get("Content-Range"))
		if b.offset == 0 || !ok || from != b.offset {
			return 0, fmt.Errorf("the server answered with the wrong range %q", resp.Header.Get("Content-Range"))
		}
		b.resumed = true
		return 0, nil
	}
	return 0, &StatusError{resp.StatusCode}
}

// skip reads over what the reader already has.
func (b *Body) skip(n int64) error {
	got, err := io.CopyN(io.Discard, b.stream, n)
	b.received += got
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// validator is what proves in If-Range that the file is still the same: a strong ETag, else the date.
func validator(h http.Header) string {
	if etag := h.Get("ETag"); etag != "" && !strings.HasPrefix(etag, "W/") {
		return etag
	}
	return h.Get("Last-Modified")
}

// rangeStart reads the first position of "bytes 100-199/200".
func rangeStart(contentRange string) (int64, bool) {
	rest, ok := strings.CutPrefix(contentRange, "bytes ")
	first, _, dash := strings.Cut(rest, "-")
	if !ok || !dash {
		return 0, false
	}
	n, err := strconv.ParseUint(first, 10, 63)
	return int64(n), err == nil
}
