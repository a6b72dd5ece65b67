package pack

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"vpk/internal/fault"
)

func TestDistinct(t *testing.T) {
	same := errors.New("no sandbox")
	network := func(n int) []error {
		var errs []error
		for i := range n {
			errs = append(errs, fault.New(fault.Network, "check the network", "fetch wheel %d", i))
		}
		return errs
	}
	damaged := fault.New(fault.Integrity, "", "wrong hash")
	for _, test := range []struct {
		errs []error
		want string
	}{
		{nil, "[]"},
		{[]error{nil, same, nil, errors.New("no sandbox"), damaged}, "[no sandbox wrong hash]"},
		{network(3), "[fetch wheel 0 fetch wheel 1 fetch wheel 2]"},
		{network(4), "[fetch wheel 0 fetch wheel 1 fetch wheel 2 and 1 more wheel]"},
		{slices.Concat(network(9), []error{damaged}), "[fetch wheel 0 fetch wheel 1 fetch wheel 2 wrong hash and 6 more wheels]"},
	} {
		if got := fmt.Sprint(distinct(test.errs)); got != test.want {
			t.Errorf("distinct(%v) = %s, want %s", test.errs, got, test.want)
		}
	}
	if kind := fault.KindOf(errors.Join(distinct(network(9))...)); kind != fault.Network {
		t.Errorf("kind %d", kind)
	}
}
