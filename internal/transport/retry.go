package transport

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	// maxWaitFactor bounds the doubling of waits.
	maxWaitFactor = 20
	// maxRetryAfter bounds what a server can make us wait.
	maxRetryAfter = time.Minute
)

// checkRetry decides whether a try that ended before the body is worth another (retryablehttp.CheckRetry).
func checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return transient(err), nil
	}
	return transientStatus(resp.StatusCode), nil
}

// transient tells whether an error of a connection may go away by itself.
func transient(err error) bool {
	var (
		dns       *net.DNSError
		permanent *Permanent
	)
	if errors.Is(err, ErrOffline) || errors.As(err, &permanent) || errors.As(err, &dns) && dns.IsNotFound {
		return false
	}
	// The library knows the errors of certificates, schemes, headers and redirects, which stay.
	again, _ := retryablehttp.DefaultRetryPolicy(context.Background(), nil, err)
	return again
}

func transientStatus(code int) bool {
	return code >= 500 || code == http.StatusRequestTimeout || code == http.StatusTooManyRequests
}

// backoff is how long to wait before try number attempt+2 (retryablehttp.Backoff).
func backoff(shortest, longest time.Duration, attempt int, resp *http.Response) time.Duration {
	wait := retryablehttp.DefaultBackoff(shortest, longest, attempt, resp)
	if resp != nil && resp.Header.Get("Retry-After") != "" {
		return min(wait, maxRetryAfter)
	}
	// Jitter: files that failed together are not asked for together.
	return wait/2 + rand.N(wait/2+1)
}
