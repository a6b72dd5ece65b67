package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// clock is a clock that stands still unless it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func recording(t *testing.T) (context.Context, *Recorder, *clock) {
	c := &clock{now: time.Unix(1000, 0)}
	r := New(c.read)
	return With(t.Context(), r), r, c
}

func TestNothingIsRecordedForNothing(t *testing.T) {
	ctx := context.WithValue(t.Context(), new(int), "another value")
	if n := testing.AllocsPerRun(100, func() {
		turn := Wait(ctx)
		span := turn.Start(Compress, "numpy")
		span.Rest(span.Work())
		span.Bytes(1)
		span.End()
		span = Start(ctx, Index, "numpy")
		defer span.End()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if From(ctx) != nil || From(ctx).Timings() != nil {
		t.Error("there is a Recorder")
	}
}

func TestTimings(t *testing.T) {
	ctx, r, c := recording(t)
	r.Add(Startup, "", c.now.Add(-time.Second), c.now)
	turn := Wait(ctx)
	c.move(3 * time.Second)
	first := turn.Start(Download, "a")
	second := Start(ctx, Download, "b")
	c.move(time.Second)
	first.Bytes(5)
	first.Bytes(2)
	first.End()
	c.move(time.Second)
	first.End() // once is enough

	// Two goroutines at work for 2 s and 1 s, between idleness of 1 s, 4 s and 1 s.
	shared := Start(ctx, Index, "a")
	c.move(time.Second)
	one := shared.Work()
	c.move(time.Second)
	two := shared.Work()
	c.move(time.Second)
	shared.Rest(one)
	shared.Rest(two)
	c.move(4 * time.Second)
	shared.Rest(shared.Work())
	c.move(time.Second)
	shared.End()
	c.move(time.Second)

	want := []Timing{
		{Startup, 1, 0, 1, 0, 1},
		{Download, 2, 7, 1 + 11, 3, 11}, // b is not over yet
		{Index, 1, 0, 3, 6, 8},
	}
	if diff := cmp.Diff(want, r.Timings()); diff != "" {
		t.Error(diff)
	}
	second.End()
	if got := r.Elapsed(); got != 15*time.Second {
		t.Errorf("elapsed %v", got)
	}
}

// TestLanes: no two spans of a lane overlap, and there are no more lanes than there are spans at some time.
func TestLanes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOf(rapid.Custom(func(t *rapid.T) record {
			begin := rapid.IntRange(0, 50).Draw(t, "begin")
			end := rapid.IntRange(begin, 60).Draw(t, "end")
			return record{begin: time.Unix(int64(begin), 0), end: time.Unix(int64(end), 0)}
		})).Draw(t, "spans")
		sortRecords(records)
		of := lanes(records)
		most := 0
		for i, a := range records {
			at := 0
			for j, b := range records {
				overlap := a.begin.Before(b.end) && b.begin.Before(a.end)
				if i != j && of[i] == of[j] && overlap {
					t.Fatalf("%v and %v are both in lane %d", a, b, of[i])
				}
				if i == j || !b.begin.After(a.begin) && b.end.After(a.begin) {
					at++
				}
			}
			most = max(most, at)
		}
		if n := tracksOf(of); n > most {
			t.Fatalf("%d lanes for %d spans at a time", n, most)
		}
	})
}

type chromeFile struct {
	DisplayTimeUnit string         `json:"displayTimeUnit"`
	OtherData       map[string]any `json:"otherData"`
	TraceEvents     []struct {
		Name string         `json:"name"`
		Cat  string         `json:"cat"`
		Ph   string         `json:"ph"`
		TS   float64        `json:"ts"`
		Dur  float64        `json:"dur"`
		PID  int            `json:"pid"`
		TID  int            `json:"tid"`
		Args map[string]any `json:"args"`
	} `json:"traceEvents"`
}

func TestWriteChrome(t *testing.T) {
	ctx, r, c := recording(t)
	r.Add(Startup, "", c.now.Add(-1500*time.Nanosecond), c.now)
	a := Start(ctx, Download, "a \"quoted\" <wheel>")
	a.Bytes(1 << 40)
	c.move(time.Microsecond)
	turn := Wait(ctx)
	c.move(time.Microsecond)
	Start(ctx, Hash, "left behind")
	b := turn.Start(Compress, "b")
	c.move(time.Millisecond)
	b.End()
	a.End()

	var out bytes.Buffer
	if err := r.WriteChrome(&out, map[string]any{"version": "1"}); err != nil {
		t.Fatal(err)
	}
	var got chromeFile
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	var lines []string
	for _, e := range got.TraceEvents {
		if e.Ph == "X" {
			lines = append(lines, fmt.Sprintf("%d %s|%s %v+%v %v", e.TID, e.Name, e.Cat, e.TS, e.Dur, e.Args))
		}
	}
	want := []string{
		"1 start|start 0+1.5 map[]",
		`1 download a "quoted" <wheel>|download 1.5+1002 map[bytes:1.099511627776e+12 item:a "quoted" <wheel>]`,
		"2 compress b|compress 3.5+1000 map[item:b waited_us:1]",
		"3 hash left behind|hash 3.5+1000 map[item:left behind unfinished:true]",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if got.OtherData["version"] != "1" || got.DisplayTimeUnit != "ms" {
		t.Errorf("%+v", got)
	}
	for n, name := range []string{"track 1", "track 2", "track 3"} {
		if !slices.ContainsFunc(strings.Split(out.String(), "\n"), func(line string) bool {
			return strings.Contains(line, `"thread_name"`) && strings.Contains(line, fmt.Sprintf(`"tid":%d,`, n+1)) && strings.Contains(line, name)
		}) {
			t.Errorf("%s has no name:\n%s", name, out.String())
		}
	}
}

// TestOrderFollowsFromTimes: the file does not tell in which order goroutines came to the Recorder.
func TestOrderFollowsFromTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(1000, 0)
		type span struct {
			step       Step
			item       string
			begin, end int
		}
		spans := rapid.SliceOf(rapid.Custom(func(t *rapid.T) span {
			begin := rapid.IntRange(0, 4).Draw(t, "begin")
			return span{
				rapid.SampledFrom([]Step{Download, Index}).Draw(t, "step"), rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "item"),
				begin, rapid.IntRange(begin, 5).Draw(t, "end"),
			}
		})).Draw(t, "spans")
		write := func(spans []span) string {
			r := New(func() time.Time { return at })
			for _, s := range spans {
				r.Add(s.step, s.item, at.Add(time.Duration(s.begin)), at.Add(time.Duration(s.end)))
			}
			var out bytes.Buffer
			if err := r.WriteChrome(&out, nil); err != nil {
				t.Fatal(err)
			}
			return out.String() + fmt.Sprint(r.Timings())
		}
		if diff := cmp.Diff(write(spans), write(rapid.Permutation(spans).Draw(t, "order"))); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestRecorderIsForManyGoroutines(t *testing.T) {
	ctx, r, _ := recording(t)
	var group sync.WaitGroup
	shared := Start(ctx, Index, "shared")
	for range 8 {
		group.Go(func() {
			for range 100 {
				began := shared.Work()
				span := Wait(ctx).Start(Compress, "x")
				span.Bytes(1)
				span.End()
				shared.Rest(began)
				r.Timings()
			}
		})
	}
	group.Wait()
	shared.End()
	for _, timing := range r.Timings() {
		if timing.Step == Compress && (timing.Count != 800 || timing.Bytes != 800) {
			t.Errorf("%+v", timing)
		}
	}
}
