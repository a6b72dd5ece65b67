package trace

import (
	"cmp"
	"slices"
	"time"
)

// Timing is what the spans of one step took together.
type Timing struct {
	Step  Step  `json:"step"`
	Count int   `json:"count"`
	Bytes int64 `json:"bytes"`
	// Seconds: Busy is the sum over the spans, which may be more than a clock shows; Waited is the sum of what they waited for
	// their turns; Wall is from the first one's beginning to the last one's end.
	Busy   float64 `json:"busy_seconds"`
	Waited float64 `json:"waited_seconds"`
	Wall   float64 `json:"wall_seconds"`
}

// Timings are the steps so far, in the order in which they first began. None of a nil Recorder.
func (r *Recorder) Timings() []Timing {
	if r == nil {
		return nil
	}
	records := r.records()
	sortRecords(records)
	type sum struct {
		timing       Timing
		busy, waited time.Duration
		begin, end   time.Time
	}
	var sums []*sum
	of := map[Step]*sum{}
	for _, rec := range records {
		s := of[rec.step]
		if s == nil {
			s = &sum{timing: Timing{Step: rec.step}, begin: rec.begin}
			of[rec.step], sums = s, append(sums, s)
		}
		s.timing.Count++
		s.timing.Bytes += rec.bytes
		s.busy, s.waited = s.busy+rec.busy, s.waited+rec.waited
		if rec.end.After(s.end) {
			s.end = rec.end
		}
	}
	timings := make([]Timing, len(sums))
	for i, s := range sums {
		s.timing.Busy, s.timing.Waited, s.timing.Wall = s.busy.Seconds(), s.waited.Seconds(), s.end.Sub(s.begin).Seconds()
		timings[i] = s.timing
	}
	return timings
}

// Elapsed is the time from the beginning of the first span to the end of the last one.
func (r *Recorder) Elapsed() time.Duration {
	var begin, end time.Time
	for i, rec := range r.records() {
		if i == 0 || rec.begin.Before(begin) {
			begin = rec.begin
		}
		if rec.end.After(end) {
			end = rec.end
		}
	}
	return end.Sub(begin)
}

// sortRecords brings records into an order that follows from what they say alone.
func sortRecords(records []record) {
	slices.SortFunc(records, func(a, b record) int {
		return cmp.Or(a.begin.Compare(b.begin), b.end.Compare(a.end), cmp.Compare(a.step, b.step), cmp.Compare(a.item, b.item),
			cmp.Compare(a.bytes, b.bytes), cmp.Compare(a.busy, b.busy), cmp.Compare(a.waited, b.waited))
	})
}
