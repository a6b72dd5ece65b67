package trace

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// event is one of the trace event format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.
// Times are in microseconds.
type event struct {
	Name  string   `json:"name"`
	Cat   string   `json:"cat,omitempty"`
	Phase string   `json:"ph"`
	TS    float64  `json:"ts"`
	Dur   *float64 `json:"dur,omitempty"`
	PID   int      `json:"pid"`
	TID   int      `json:"tid"`
	Args  any      `json:"args,omitempty"`
}

// eventArgs are what a viewer shows of a span beside its time.
type eventArgs struct {
	Item       string  `json:"item,omitempty"`
	Bytes      int64   `json:"bytes,omitempty"`
	Busy       float64 `json:"busy_us,omitempty"` // where several goroutines did it
	Waited     float64 `json:"waited_us,omitempty"`
	Unfinished bool    `json:"unfinished,omitempty"`
}

// WriteChrome writes the spans in the trace event format, as an object with traceEvents and about, whose values must be of JSON.
// Times are counted from the beginning of the first span. Spans are laid out on as few tracks as there were at most at a time, so
// that those of one track are one after the other.
func (r *Recorder) WriteChrome(w io.Writer, about map[string]any) error {
	records := r.records()
	sortRecords(records)
	tracks := lanes(records)
	const pid = 1
	events := []event{{Name: "process_name", Phase: "M", PID: pid, Args: map[string]string{"name": "vpk"}}}
	for n := range tracksOf(tracks) {
		events = append(events,
			event{Name: "thread_name", Phase: "M", PID: pid, TID: n + 1, Args: map[string]string{"name": fmt.Sprintf("track %d", n+1)}},
			event{Name: "thread_sort_index", Phase: "M", PID: pid, TID: n + 1, Args: map[string]int{"sort_index": n + 1}})
	}
	for i, rec := range records {
		took := rec.end.Sub(rec.begin)
		dur := micros(took)
		e := event{Name: string(rec.step), Cat: string(rec.step), Phase: "X", TS: micros(rec.begin.Sub(records[0].begin)), Dur: &dur, PID: pid, TID: tracks[i] + 1}
		args := eventArgs{Item: rec.item, Bytes: rec.bytes, Waited: micros(rec.waited), Unfinished: rec.unfinished}
		if rec.item != "" {
			e.Name += " " + rec.item
		}
		if rec.busy != took {
			args.Busy = micros(rec.busy)
		}
		e.Args = args
		events = append(events, e)
	}
	out := bufio.NewWriter(w)
	_, _ = out.WriteString("{\"displayTimeUnit\": \"ms\",\n\"otherData\": ") // bufio keeps the error for Flush
	if err := writeLine(out, about, ",\n\"traceEvents\": [\n"); err != nil {
		return err
	}
	for i, e := range events {
		end := ",\n"
		if i == len(events)-1 {
			end = "\n]}\n"
		}
		if err := writeLine(out, e, end); err != nil {
			return err
		}
	}
	return out.Flush()
}

func writeLine(out *bufio.Writer, value any, end string) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write trace: %w", err)
	}
	_, _ = out.Write(data)
	_, _ = out.WriteString(end)
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// lanes gives each of the sorted records a number, from 0, so that no two that overlap have the same one: the lowest that is free.
// What ends where another one begins does not overlap it.
func lanes(records []record) []int {
	of := make([]int, len(records))
	var free []time.Time // from when each lane is
	for i, rec := range records {
		n := 0
		for n < len(free) && free[n].After(rec.begin) {
			n++
		}
		if n == len(free) {
			free = append(free, time.Time{})
		}
		of[i], free[n] = n, rec.end
	}
	return of
}

// tracksOf is how many lanes there are.
func tracksOf(lanes []int) int {
	most := 0
	for _, n := range lanes {
		most = max(most, n+1)
	}
	return most
}
