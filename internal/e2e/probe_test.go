package e2e

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// probe asks a started service for all its answers, and waits for the first. died says why there is no use in waiting.
func probe(t testing.TB, address string, died func() error) {
	t.Helper()
	for path, want := range answers {
		err := waitFor(time.Minute, func() error {
			got, err := get("http://" + address + path)
			if err != nil {
				if why := died(); why != nil {
					t.Fatalf("no answer: %v", why)
				}
				return err
			}
			if got != want {
				t.Errorf("GET %s: %q, want %q", path, got, want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func get(url string) (string, error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", url, answer.Status, body)
	}
	return string(body), err
}
